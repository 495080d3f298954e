import { DEFAULT_BACKBONE } from '../../../services/core/network/backbones.ts';
import { BATCH_SIZE, SEED, SIZE } from './context.ts';
import type { BenchContext } from './context.ts';
import { GraftSide } from './graft-side.ts';
import { ratioRow } from './row.ts';
import type { Row } from './row.ts';

/**
 * Measures how much earlier a second sweep on the same images has its first epoch: for the fastest base, and for that
 * of Keras' recipe (initial weights: its layers take the same time with any weights).
 */
export async function secondSweep({ root, folder, say }: BenchContext): Promise<readonly Row[]> {
  await using graft = await GraftSide.start(folder);
  const rows: Row[] = [];
  for (const [backbone, weights] of [
    [DEFAULT_BACKBONE, 'imagenet'],
    ['vgg16', 'random'],
  ] as const) {
    say(`second sweep on the same data, ${backbone}: both of them`);
    const sweepOf = (name: string, learningRate: number) => ({
      display_name: name,
      dataset: { path: root },
      base: { backbone, weights, image_size: SIZE, batch_size: BATCH_SIZE, method: 'cached', epochs: 2 },
      strategy: 'list',
      variants: [{ 'optimizer.learning_rate': learningRate }],
      seed: SEED,
    });
    const first = await graft.run(sweepOf('first', 1e-3));
    const second = await graft.run(sweepOf('second', 2e-3));
    rows.push(
      ratioRow({
        work: `second sweep on the same data, ${backbone}: submit to first epoch`,
        peer: 'the first sweep',
        peerSeconds: first.firstEpochSeconds,
        graftSeconds: second.firstEpochSeconds,
        target: 20,
        notes: [
          `First: ${stages(first.stageSeconds)}. Second: ${stages(second.stageSeconds)}: a check of each file, and the head's own ` +
            'training. The quicker the base, the less there was to save.',
        ],
      }),
    );
  }
  return rows;
}

function stages(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([stage, taken]) => `${stage} ${taken.toFixed(2)} s`)
    .join(', ');
}
