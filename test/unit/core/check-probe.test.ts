import { describe, expect, it } from 'vitest';
import { checkProbe } from '../../../services/core/reports/check-probe.ts';
import type { ProbeMeasurement } from '../../../services/core/task.ts';

const ASKED = { trainImageCount: 200, validationImageCount: 100 };

function measured(changes: Partial<ProbeMeasurement> = {}): ProbeMeasurement {
  const correct = new Uint8Array(38).fill(255);
  correct[37] = 15;
  return {
    correct,
    imageCount: 300,
    logMe: -0.4,
    penalty: 10,
    latencySeconds: 0.02,
    featureCount: 1280,
    seconds: 12,
    ...changes,
  };
}

describe('the result of a probe', () => {
  it('is taken where it can be true', () => {
    expect(checkProbe(measured(), ASKED)).toEqual([]);
  });

  it.each([
    ['probe.image_count', { imageCount: 299 }],
    ['probe.correct', { correct: new Uint8Array(37) }],
    ['probe.correct', { correct: new Uint8Array(38).fill(255) }],
    ['probe.log_me', { logMe: Number.NaN }],
    ['probe.penalty', { penalty: -1 }],
    ['probe.latency_seconds', { latencySeconds: Infinity }],
    ['probe.feature_count', { featureCount: 0 }],
    ['probe.seconds', { seconds: -1 }],
  ])('is refused by %s of %j', (field, changes) => {
    expect(checkProbe(measured(changes), ASKED).map((mistake) => mistake.field)).toEqual([field]);
  });
});
