import { loadBackbone } from '../../../services/trainer/backbones/load.ts';
import type { Backbone } from '../../../services/trainer/backbones/backbone.ts';
import { tf } from '../../../services/trainer/engine/engine.ts';
import { BATCH_SIZE, SEED, SIZE } from './context.ts';
import type { BenchContext } from './context.ts';
import type { Row } from './row.ts';

const BACKBONES = ['efficientnet_lite0', 'vgg16'];
/** Rounds of both sides alternate, and the best of each counts, because the machine may be shared. */
const ROUNDS = 3;

/** Measures images per second through a frozen base with random weights on both sides. */
export async function forward({ peer, root, say }: BenchContext): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const backbone of BACKBONES) {
    const imageCount = backbone === 'vgg16' ? 2 * BATCH_SIZE : 8 * BATCH_SIZE;
    const base = await loadBackbone({ backbone, weights: 'random', inputSize: SIZE, cacheDir: '' });
    let keras = { imagesPerSecond: 0, jit: false };
    let graft = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      say(`forward of ${backbone}: round ${round} of ${ROUNDS}`);
      const answer = await peer.predict({
        kind: 'predict',
        backbone,
        weights: null,
        size: SIZE,
        root,
        batchSize: BATCH_SIZE,
        seed: SEED,
        imageCount,
        rounds: 2,
        // The slower variant would take most of the time again.
        jit: round === 1 ? null : keras.jit,
      });
      if (answer.imagesPerSecond > keras.imagesPerSecond) keras = answer;
      graft = Math.max(graft, rateOf(base, imageCount), rateOf(base, imageCount));
    }
    base.dispose();
    rows.push({
      work: `forward of ${backbone} at ${SIZE} pixels`,
      peer: 'Keras predict',
      peerFigure: `${keras.imagesPerSecond.toFixed(1)} images/s`,
      graftFigure: `${graft.toFixed(1)} images/s`,
      ratio: graft / keras.imagesPerSecond,
      target: '≥ 1×',
      isMet: graft >= keras.imagesPerSecond,
      accuracies: '',
      notes: [`Batches of ${BATCH_SIZE}; jit_compile=${String(keras.jit)} was the quicker one for Keras.`],
    });
  }
  return rows;
}

/** Returns images per second over images in memory; the outputs are fetched, as `predict` does. */
function rateOf(base: Backbone, imageCount: number): number {
  const images = new Uint8Array(BATCH_SIZE * SIZE * SIZE * 3).map((_, index) => index % 251);
  const startMs = performance.now();
  for (let done = 0; done < imageCount; done += BATCH_SIZE) {
    // If the function returned the values, tidy would search them for tensors, which takes three times as long.
    tf.tidy(() => {
      base.forward(tf.tensor4d(images, [BATCH_SIZE, SIZE, SIZE, 3], 'float32')).dataSync();
    });
  }
  return imageCount / ((performance.now() - startMs) / 1000);
}
