import { DEFAULT_BACKBONE } from '../../../services/core/network/backbones.ts';
import { BATCH_SIZE, SEED, SIZE } from './context.ts';
import type { BenchContext } from './context.ts';
import { GraftSide } from './graft-side.ts';
import type { PeerHead } from './keras-peer.ts';
import { percent, ratioRow } from './row.ts';
import type { Row } from './row.ts';

const RUN_COUNT = 16;
const LEARNING_RATES = [3e-4, 1e-3, 2e-3, 3e-3];
const HEAD: PeerHead = { pooling: 'avg', units: 256, activation: 'relu', dropout: 0.5 };
const AUGMENTATION = { rotation: 0.1, zoom: 0.2 };

interface Work {
  readonly work: string;
  readonly method: 'augmented' | 'cached';
  readonly epochs: number;
  readonly target: number;
}

/** Measures 16 heads on one augmented stream. */
export function sharedStream(context: BenchContext): Promise<Row> {
  return headsEndToEnd(context, {
    work: `${RUN_COUNT} heads, augmentation, 10 epochs`,
    method: 'augmented',
    epochs: 10,
    target: 15,
  });
}

/** Measures 16 heads on cached features. */
export function cachedHeads(context: BenchContext): Promise<Row> {
  return headsEndToEnd(context, {
    work: `${RUN_COUNT} heads, no augmentation, 20 epochs`,
    method: 'cached',
    epochs: 20,
    target: 100,
  });
}

async function headsEndToEnd({ peer, root, weightsPath, folder, say }: BenchContext, work: Work): Promise<Row> {
  const { method, epochs } = work;
  say(`${work.work}: Keras, one run`);
  const keras = await peer.fit({
    kind: 'fit',
    backbone: DEFAULT_BACKBONE,
    weights: weightsPath,
    saveWeights: null,
    size: SIZE,
    root,
    batchSize: BATCH_SIZE,
    seed: SEED,
    head: HEAD,
    augmentation: method === 'augmented' ? AUGMENTATION : null,
    unfreezeFrom: null,
    learningRate: 1e-3,
    epochs,
    tuneJit: true,
  });
  say(`${work.work}: Graft, all of them`);
  await using graft = await GraftSide.start(folder);
  const measured = await graft.run({
    display_name: work.work,
    dataset: { path: root },
    base: {
      backbone: DEFAULT_BACKBONE,
      image_size: SIZE,
      batch_size: BATCH_SIZE,
      method,
      epochs,
      'head.pooling': HEAD.pooling,
      'head.activation': HEAD.activation,
    },
    strategy: 'list',
    // The first one, which is the baseline and therefore tested, is the peer's.
    variants: [256, 64].flatMap((units) =>
      [0.5, 0.2].flatMap((dropout) =>
        [1e-3, ...LEARNING_RATES.filter((rate) => rate !== 1e-3)].map((rate) => ({
          'head.units': units,
          'head.dropout': dropout,
          'optimizer.learning_rate': rate,
        })),
      ),
    ),
    seed: SEED,
  });
  if (measured.runs.length !== RUN_COUNT) throw new Error(`There are ${measured.runs.length} runs.`);
  const stages = Object.entries(measured.stageSeconds).map(([stage, taken]) => `${stage} ${taken.toFixed(1)} s`);
  return ratioRow({
    work: work.work,
    peer: 'Keras model.fit, one by one',
    peerSeconds: RUN_COUNT * keras.seconds,
    graftSeconds: measured.trainedSeconds,
    target: work.target,
    accuracies: `${percent(keras.testAccuracy)} / ${percent(measured.runs[0]?.testAccuracy ?? Number.NaN)}`,
    notes: [
      `Keras: one whole run took ${keras.seconds.toFixed(1)} s (jit_compile=${String(keras.jit)}), times ${RUN_COUNT}: the runs ` +
        'differ in the head alone. Its start and the decoding of its images are not counted.',
      `Graft: from submit to the last head, indexing and decoding included (${stages.join(', ')}); with the evaluation on the test ` +
        `split ${measured.wholeSeconds.toFixed(1)} s.`,
    ],
  });
}
