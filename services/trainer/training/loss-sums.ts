import type { LossSums } from '../heads/loss.ts';

export const NO_SUMS: LossSums = { imageCount: 0, lossSum: 0, correctCount: 0 };

export function addSums(a: LossSums, b: LossSums): LossSums {
  return {
    imageCount: a.imageCount + b.imageCount,
    lossSum: a.lossSum + b.lossSum,
    correctCount: a.correctCount + b.correctCount,
  };
}
