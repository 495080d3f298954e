import { describe, expect, it } from 'vitest';
import { MAX_REPORTED_IMAGES, MAX_REPORTED_LOSSES } from '../../../../services/core/task.ts';
import { withPenalty } from '../../../../services/trainer/checkpoints/image-results.ts';
import { Loss } from '../../../../services/trainer/heads/loss.ts';
import { ValidationPass } from '../../../../services/trainer/training/validation-pass.ts';
import type { Validation } from '../../../../services/trainer/training/validation-pass.ts';

/** Three classes; the rows favour the classes 0, 1, 2, 0, 1, 2, and so on, each less clearly than the row before. */
const LABELS = [0, 1, 0, 0, 2, 2, 0, 1, 1, 2, 0];
const LOGITS = Float32Array.from(
  LABELS.flatMap((_, row) => [0, 1, 2].map((output) => (output === row % 3 ? 4 / (row + 1) : 0))),
);

function pass(parts: readonly number[], classCount = 3): Validation {
  const loss = new Loss(classCount, 0.1, [5, 1, 1]);
  const measured = new ValidationPass(loss, [], LABELS.length);
  let first = 0;
  for (const count of parts) {
    measured.add(LOGITS.subarray(first * 3, (first + count) * 3), LABELS.slice(first, first + count));
    first += count;
  }
  return measured.finish();
}

describe('a validation pass', () => {
  it('has a bit and a loss for each image, however the split is divided', () => {
    const { images, sums } = pass([11]);
    const right = LABELS.map((label, row) => label === row % 3);
    expect(right.filter(Boolean)).toHaveLength(sums.correctCount);
    // The rows 0, 1, 3, 5, 6 and 7 are right; the least significant bit is the first image.
    expect(images?.correct).toEqual(Uint8Array.of(0b1110_1011, 0));
    const alone = LABELS.map((label, row) => {
      const one = new ValidationPass(new Loss(3, 0.1, null), [], 1);
      one.add(LOGITS.subarray(row * 3, row * 3 + 3), [label]);
      return Math.fround(one.finish().sums.lossSum);
    });
    expect([...(images?.losses ?? [])]).toEqual(alone);
    for (const parts of [[4, 4, 3], [1, 10], Array<number>(11).fill(1)]) expect(pass(parts).images).toEqual(images);
  });

  it('has no losses of more images than are sent, and no results of more than fit into a message', () => {
    const ofSize = (count: number) => new ValidationPass(new Loss(2, 0, null), [], count).finish().images;
    expect(ofSize(MAX_REPORTED_LOSSES)?.losses).toHaveLength(MAX_REPORTED_LOSSES);
    expect(ofSize(MAX_REPORTED_LOSSES + 1)).toEqual({ correct: new Uint8Array(2_501), losses: null });
    expect(ofSize(MAX_REPORTED_IMAGES)?.correct).toHaveLength(MAX_REPORTED_IMAGES / 8);
    expect(ofSize(MAX_REPORTED_IMAGES + 1)).toBeNull();
  });
});

describe('the penalty of the weights', () => {
  it('is part of the loss of each image, as it is of val_loss', () => {
    const results = { correct: Uint8Array.of(1), losses: Float32Array.of(0.5, 1) };
    expect(withPenalty(results, 0.25).losses).toEqual(Float32Array.of(0.75, 1.25));
    expect(withPenalty(results, 0).losses).toBe(results.losses);
    expect(withPenalty({ ...results, losses: null }, 0.25).losses).toBeNull();
  });
});
