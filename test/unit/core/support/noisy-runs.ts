import { createStream } from '../../../../services/core/rng/stream.ts';
import type { Evidence } from '../../../../services/core/statistics/evidence.ts';
import { correctCountOf } from '../../../../services/core/statistics/evidence.ts';

/** A run measured on the validation images. */
export interface MeasuredRun {
  readonly value: number;
  readonly evidence: Evidence;
}

/** Packs outcomes as a trainer does: bit i, the least significant first, is image i. */
export function packOutcomes(outcomes: readonly boolean[]): Evidence {
  const correct = new Uint8Array(Math.ceil(outcomes.length / 8));
  for (const [image, right] of outcomes.entries()) if (right) correct[image >> 3]! |= 1 << (image & 7);
  return { correct, count: outcomes.length, losses: null };
}

/**
 * Draws runs that are equally good: all classify the same images in the same way, but for those that each decides by a coin. Two
 * runs differ on `discordant` of the images.
 *
 * @param gains true advantage of each run, as a part of the images; more of the coins show the right class by that part.
 */
export function drawRuns(key: string, images: number, discordant: number, gains: readonly number[]): MeasuredRun[] {
  // Two coins differ in half of the cases.
  const coins = Math.round(images * 2 * discordant);
  return gains.map((gain, run) => {
    const stream = createStream('noisy runs', key, run);
    const chance = 0.5 + gain / (2 * discordant);
    const outcomes = Array.from({ length: images }, (_, image) => image >= coins || stream.uniform() < chance);
    const evidence = packOutcomes(outcomes);
    return { evidence, value: correctCountOf(evidence) / images };
  });
}
