import { join } from 'node:path';
import { BATCH_SIZE, SEED, SIZE } from './context.ts';
import type { BenchContext } from './context.ts';
import { GraftSide } from './graft-side.ts';
import type { SweepFile } from './graft-side.ts';
import type { FitAnswer, PeerHead } from './keras-peer.ts';
import { ratioRow } from './row.ts';
import type { Row } from './row.ts';

const RUN_COUNT = 8;
const EPOCHS = 2;
const BACKBONE = 'vgg16';
const HEAD: PeerHead = { pooling: 'flatten', units: 256, activation: 'linear', dropout: 0.5 };

/**
 * Measures eight fine-tunings of VGG16's last block, and the memory of one. The head is untrained on both sides, so
 * that only fine-tuning is timed. The base has Keras' initial weights, because VGG16's pretrained ones are not
 * published where every machine could download them; the arithmetic is the same.
 */
export async function fineTunes({ peer, root, folder, say }: BenchContext): Promise<readonly Row[]> {
  const weights = join(folder, 'vgg16.weights.h5');
  say(`${RUN_COUNT} fine-tunes of VGG16: Keras, one run`);
  const keras = await peer.fit({
    kind: 'fit',
    backbone: BACKBONE,
    weights: null,
    saveWeights: weights,
    size: SIZE,
    root,
    batchSize: BATCH_SIZE,
    seed: SEED,
    head: HEAD,
    augmentation: null,
    unfreezeFrom: 'block5_conv1',
    learningRate: 1e-5,
    epochs: EPOCHS,
    tuneJit: true,
  });
  say('one fine-tune of VGG16: memory of Graft');
  const memory = await memoryOfOne(folder, root, weights, keras);
  say(`${RUN_COUNT} fine-tunes of VGG16: Graft, all of them`);
  await using graft = await GraftSide.start(folder);
  const measured = await graft.run(sweepOf(root, weights, RUN_COUNT));
  const stages = Object.entries(measured.stageSeconds).map(([stage, taken]) => `${stage} ${taken.toFixed(1)} s`);
  const speed = ratioRow({
    work: `${RUN_COUNT} fine-tunes of VGG16's last block`,
    peer: 'Keras model.fit, one by one',
    peerSeconds: RUN_COUNT * keras.seconds,
    graftSeconds: measured.trainedSeconds,
    target: 3.5,
    notes: [
      `${EPOCHS} epochs at ${SIZE} pixels. Keras: one whole run took ${keras.seconds.toFixed(1)} s ` +
        `(jit_compile=${String(keras.jit)}), times ${RUN_COUNT}. Graft: from submit to the last run (${stages.join(', ')}).`,
      'Initial weights, so that accuracies say nothing; those of real weights are compared by npm run bench:keras.',
    ],
  });
  return [speed, memory];
}

async function memoryOfOne(folder: string, root: string, weights: string, keras: FitAnswer): Promise<Row> {
  await using graft = await GraftSide.start(folder);
  const bytes = await graft.peakMemory(async () => {
    await graft.run(sweepOf(root, weights, 1));
  });
  return {
    work: 'memory of one VGG16 fine-tune (block5, batch 32, 180 pixels)',
    peer: 'Keras process',
    peerFigure: gigabytes(keras.peakMemoryBytes),
    graftFigure: gigabytes(bytes),
    ratio: keras.peakMemoryBytes / bytes,
    target: '≥ 1×',
    isMet: keras.peakMemoryBytes >= bytes,
    accuracies: '',
    notes: [
      'Graft: highest resident memory of the trainer and its worker together, feature extraction and test included.',
    ],
  };
}

function sweepOf(root: string, weights: string, runCount: number): SweepFile {
  return {
    display_name: `${runCount} fine-tunes`,
    dataset: { path: root },
    base: {
      backbone: BACKBONE,
      weights,
      image_size: SIZE,
      batch_size: BATCH_SIZE,
      method: 'cached',
      epochs: 0,
      'head.pooling': HEAD.pooling,
      'head.units': HEAD.units,
      'head.activation': HEAD.activation,
      'head.dropout': HEAD.dropout,
      'fine_tune.enabled': true,
      'fine_tune.allow_untrained_head': true,
      'fine_tune.epochs': EPOCHS,
      'fine_tune.unfreeze': 'last_block',
    },
    strategy: 'list',
    variants: Array.from({ length: runCount }, (_, index) => ({
      'fine_tune.learning_rate': 1e-5 * (index + 1),
    })),
    seed: SEED,
  };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
