import { describe, expect, test } from 'vitest';
import { balancedAccuracy, macroF1 } from '../../../services/core/statistics/class-averages.ts';
import { classScores, confusionMatrix, correctCount } from '../../../services/core/statistics/confusion-matrix.ts';
import { pairedBootstrap } from '../../../services/core/statistics/paired-bootstrap.ts';
import { macroRocAuc, rocAuc } from '../../../services/core/statistics/roc-auc.ts';
import { testStatistics } from '../../../services/core/statistics/test-statistics.ts';
import { wilsonInterval } from '../../../services/core/statistics/wilson-interval.ts';

describe('wilsonInterval', () => {
  // scipy.stats.binomtest(k, n).proportion_ci(0.95, 'wilson')
  test.each([
    [0, 10, 0, 0.27753279986288926],
    [10, 10, 0.7224672001371109, 1],
    [7, 10, 0.39677814746114526, 0.892208732593699],
    [978, 1000, 0.9669143266526002, 0.9854272922352089],
    [1954, 2000, 0.9694587928717648, 0.9827123440219201],
  ])('%i of %i', (successes, trials, low, high) => {
    const interval = wilsonInterval(successes, trials);
    expect(interval.low).toBeCloseTo(low, 12);
    expect(interval.high).toBeCloseTo(high, 12);
  });

  test('returns [0, 1] for no trials, and refuses impossible counts', () => {
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
    expect(() => wilsonInterval(3, 2)).toThrow('received 3 of 2');
  });
});

describe('confusionMatrix', () => {
  const pairs = [
    [0, 0],
    [0, 1],
    [0, 1],
    [1, 1],
    [1, 0],
    [2, 1],
  ].map(([label = 0, predictedLabel = 0]) => ({ label, predictedLabel }));

  test('has true classes as rows', () => {
    const matrix = confusionMatrix(pairs, 3);
    expect(matrix.counts).toEqual([1, 2, 0, 1, 1, 0, 0, 1, 0]);
    expect(correctCount(matrix)).toBe(2);
  });

  test('computes precision, recall and F1, zeros for a class that is never predicted', () => {
    expect(classScores(confusionMatrix(pairs, 3))).toEqual([
      { precision: 1 / 2, recall: 1 / 3, f1: 2 / 5, support: 3 },
      { precision: 1 / 4, recall: 1 / 2, f1: 2 / 6, support: 2 },
      { precision: 0, recall: 0, f1: 0, support: 1 },
    ]);
  });

  test('refuses a label beyond the classes', () => {
    expect(() => confusionMatrix([{ label: 3, predictedLabel: 0 }], 3)).toThrow('received 3 called 0');
  });
});

describe('rocAuc', () => {
  const scoresOf = (scores: readonly number[], labels: readonly number[], label: number): Float64Array =>
    Float64Array.from(scores.filter((_, index) => labels[index] === label));

  test('counts ties as a half (sklearn.metrics.roc_auc_score)', () => {
    const labels = [0, 0, 1, 1, 1, 0, 1, 0, 1, 0];
    const scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4, 0.9, 0.2, 0.2, 0.6];
    expect(rocAuc(scoresOf(scores, labels, 1), scoresOf(scores, labels, 0))).toBeCloseTo(0.66, 12);
  });

  test('returns a half for equal scores, null for one class only or NaN', () => {
    expect(rocAuc(Float64Array.of(1), Float64Array.of(1))).toBe(0.5);
    expect(rocAuc(Float64Array.of(1), Float64Array.of())).toBeNull();
    expect(rocAuc(Float64Array.of(NaN, 2), Float64Array.of(1))).toBeNull();
  });
});

describe('macroRocAuc', () => {
  test('leaves out a class without images, and returns null where no class has a curve', () => {
    const scores = Float64Array.of(0.7, 0.2, 0.1, 0.3, 0.4, 0.3, 0.6, 0.3, 0.1);
    // Class 0 and class 1 have the area 1; class 2 has no image.
    expect(macroRocAuc({ labels: [0, 1, 0], scores, columnCount: 3 })).toBe(1);
    expect(macroRocAuc({ labels: [1, 1, 1], scores, columnCount: 3 })).toBeNull();
    expect(macroRocAuc({ labels: [1, 1], scores: Float64Array.of(0.2, 0.4), columnCount: 1 })).toBeNull();
  });
});

describe('macroF1 and balancedAccuracy', () => {
  // Labels 0 0 0 1, predicted 0 0 2 2: class 1 is never found, class 2 is only predicted, class 3 does neither.
  const counts = { images: [3, 1, 0, 0], predicted: [2, 0, 2, 0], correct: [2, 0, 0, 0] };

  test('average over the classes as scikit-learn does', () => {
    expect(macroF1(counts)).toBeCloseTo((4 / 5 + 0 + 0) / 3, 15);
    expect(balancedAccuracy(counts)).toBeCloseTo((2 / 3 + 0) / 2, 15);
  });

  test('are 0 without images', () => {
    const none = { images: [0, 0], predicted: [0, 0], correct: [0, 0] };
    expect([macroF1(none), balancedAccuracy(none)]).toEqual([0, 0]);
  });
});

describe('pairedBootstrap', () => {
  const flags = (count: number, wrong: readonly number[]): boolean[] =>
    Array.from({ length: count }, (_, index) => !wrong.includes(index));

  test('meets the normal approximation of the paired difference', () => {
    // 60 winner-only and 20 baseline-only of 1,000: difference 0.04, deviation sqrt((80 − 40²/1000) / 1000²).
    const winner = Array.from({ length: 1000 }, (_, index) => index >= 20);
    const baseline = Array.from({ length: 1000 }, (_, index) => index < 20 || index >= 80);
    const comparison = pairedBootstrap(winner, baseline, 1);
    const deviation = Math.sqrt(80 - 1.6) / 1000;
    expect(comparison).toMatchObject({ difference: 0.04, winnerOnly: 60, baselineOnly: 20, distinguishable: true });
    expect(comparison.interval.low).toBeCloseTo(0.04 - 1.96 * deviation, 2);
    expect(comparison.interval.high).toBeCloseTo(0.04 + 1.96 * deviation, 2);
  });

  test('does not distinguish one image of 100', () => {
    const comparison = pairedBootstrap(flags(100, []), flags(100, [4]), 1);
    expect(comparison).toMatchObject({ difference: 0.01, distinguishable: false });
  });

  test('returns an empty interval and no verdict for equal predictions', () => {
    const same = flags(50, [1, 2]);
    expect(pairedBootstrap(same, same, 1)).toMatchObject({
      interval: { low: 0, high: 0 },
      distinguishable: false,
    });
  });

  test('depends on the seed, and refuses different numbers of images', () => {
    const a = flags(200, [1, 2, 3]);
    const b = flags(200, [4, 5, 6, 7, 8, 9]);
    expect(pairedBootstrap(a, b, 5)).toEqual(pairedBootstrap(a, b, 5));
    expect(() => pairedBootstrap(a, flags(10, []), 5)).toThrow('received 200 and 10');
  });
});

test('combines the statistics of a run', () => {
  const predictions = [
    { path: 'a', label: 0, predictedLabel: 0, probabilities: [0.8, 0.2] },
    { path: 'b', label: 0, predictedLabel: 1, probabilities: [0.4, 0.6] },
    { path: 'c', label: 1, predictedLabel: 1, probabilities: [0.1, 0.9] },
    { path: 'd', label: 1, predictedLabel: 1, probabilities: [0.45, 0.55] },
  ];
  const statistics = testStatistics(predictions, 2);
  expect(statistics).toMatchObject({ imageCount: 4, correctCount: 3, accuracy: 0.75, rocAuc: 0.75 });
  expect(statistics.confusionMatrix).toEqual([1, 1, 0, 2]);
  expect(statistics.accuracyLow).toBeLessThan(0.75);
  expect(statistics.macroF1).toBeCloseTo((2 / 3 + 4 / 5) / 2, 15);
  expect(statistics.balancedAccuracy).toBe(0.75);
});

test('computes the area under the curve of three classes, each against the others', () => {
  const predictions = [
    { path: 'a', label: 0, predictedLabel: 0, probabilities: [0.7, 0.2, 0.1] },
    { path: 'b', label: 1, predictedLabel: 2, probabilities: [0.1, 0.3, 0.6] },
    { path: 'c', label: 2, predictedLabel: 1, probabilities: [0.2, 0.5, 0.3] },
    { path: 'd', label: 2, predictedLabel: 2, probabilities: [0.2, 0.1, 0.7] },
  ];
  // Class 0: 1; class 1: 2 of 3 pairs in order; class 2: 3 of 4 pairs.
  expect(testStatistics(predictions, 3).rocAuc).toBeCloseTo((1 + 2 / 3 + 3 / 4) / 3, 15);
});
