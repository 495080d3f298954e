import { describe, expect, test } from 'vitest';
import { chooseWinner } from '../../../../services/core/stopping/choose-winner.ts';
import type { Candidate } from '../../../../services/core/stopping/choose-winner.ts';
import { describeWinner, inWords } from '../../../../services/core/stopping/describe-winner.ts';
import { createStream } from '../../../../services/core/rng/stream.ts';
import type { MeasuredRun } from '../support/noisy-runs.ts';
import { drawRuns, packOutcomes } from '../support/noisy-runs.ts';
import { ACCURACY, LOSS } from '../support/search-inputs.ts';

const IMAGES = 500;

/** A run that is right on all images but `wrong` of them, from `from` on. */
function rightBut(wrong: number, from = 0): MeasuredRun {
  const evidence = packOutcomes(Array.from({ length: IMAGES }, (_, image) => image < from || image >= from + wrong));
  return { evidence, value: 1 - wrong / IMAGES };
}

function candidate(runIndex: number, trainings: readonly MeasuredRun[], more: Partial<Candidate> = {}): Candidate {
  return { runIndex, trainings, repeatCount: trainings.length - 1, latencySeconds: null, modelBytes: null, ...more };
}

/** Orders candidates as the leaderboard does: by their own values. */
function ranked(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted((a, b) => b.trainings[0]!.value - a.trainings[0]!.value || a.runIndex - b.runIndex);
}

const named = (runIndex: number): string => (runIndex === 0 ? 'mobilenet_v2' : 'vgg16');

describe('the winner rule (acceptance 12)', () => {
  // 4 images of 500 apart, on disjoint mistakes: 19 and 23 wrong; the standard error of the difference is 1.3 points.
  const small = candidate(0, [rightBut(23, 100)], { modelBytes: 10e6 });
  const large = candidate(1, [rightBut(19)], { modelBytes: 60e6 });
  const all = ranked([small, large]);

  test('best takes the best score, and names a smaller run that is not distinguishable, with its size', () => {
    const verdict = chooseWinner(ACCURACY, 'best', all);
    expect(verdict.winner.runIndex).toBe(1);
    expect(verdict.cheaper).toMatchObject({ run: { runIndex: 0 }, difference: { mean: -4 / IMAGES } });
    expect(verdict.cheaper?.difference.standardError).toBeCloseTo(Math.sqrt((42 / 500 - (4 / 500) ** 2) / 499), 12);
    expect(describeWinner(ACCURACY, verdict, named)).toContain(
      '0.9540 with mobilenet_v2 (run 0), a sixth of the bytes, is not distinguishable (−0.8 ± 1.3 points).',
    );
  });

  test('one_standard_error takes the cheapest run within one paired standard error of the best, and says so', () => {
    const verdict = chooseWinner(ACCURACY, 'one_standard_error', all);
    expect(verdict.winner.runIndex).toBe(0);
    expect(verdict.best.runIndex).toBe(1);
    expect(describeWinner(ACCURACY, verdict, named)[0]).toBe(
      'Run 0 wins with val_accuracy 0.9540: by the rule one_standard_error it is the cheapest run within one standard error of ' +
        'the best score, val_accuracy 0.9620 of run 1 (−0.8 ± 1.3 points), with a sixth of its bytes.',
    );
  });

  test('one_standard_error keeps the best run where the cheap one is further than that', () => {
    const poor = candidate(0, [rightBut(40, 100)], { modelBytes: 10e6 });
    expect(chooseWinner(ACCURACY, 'one_standard_error', ranked([poor, large])).winner.runIndex).toBe(1);
  });

  test('the cheapest is by latency where it is known, then by bytes, then by number', () => {
    const of = (runIndex: number, modelBytes: number, latencySeconds: number | null): Candidate =>
      candidate(runIndex, [rightBut(20, 10 * runIndex)], { modelBytes, latencySeconds });
    const choice = (runs: readonly Candidate[]): number =>
      chooseWinner(ACCURACY, 'one_standard_error', ranked(runs)).winner.runIndex;
    expect(choice([of(0, 9, 0.03), of(1, 8, 0.02), of(2, 7, 0.01)])).toBe(2);
    expect(choice([of(0, 9, 0.01), of(1, 7, 0.02), of(2, 7, 0.01)])).toBe(2);
    expect(choice([of(0, 9, null), of(1, 7, null), of(2, 7, null)])).toBe(1);
  });

  test('without results by image no run is within the standard error of another', () => {
    const silent = all.map((run) => ({
      ...run,
      trainings: run.trainings.map(({ value }) => ({ value, evidence: null })),
    }));
    const verdict = chooseWinner(ACCURACY, 'one_standard_error', silent);
    expect(verdict).toMatchObject({ winner: { runIndex: 1 }, cheaper: null, expectedScore: null });
  });
});

describe('finalists', () => {
  const lucky = candidate(3, [rightBut(10), rightBut(30), rightBut(32)]);
  const steady = candidate(5, [rightBut(15), rightBut(16), rightBut(14)]);
  const single = candidate(7, [rightBut(12)]);

  test('win by the mean over their seeds; a run with one measurement can not', () => {
    const verdict = chooseWinner(ACCURACY, 'best', ranked([lucky, steady, single]));
    expect(verdict.winner).toMatchObject({ runIndex: 5, score: (0.97 + 0.968 + 0.972) / 3 });
    expect(verdict.isOfFinalists).toBe(true);
    expect(describeWinner(ACCURACY, verdict, named)[0]).toMatch(
      /^Run 5 wins with val_accuracy 0\.9700, the mean of 3 seeds \(0\.9680 to 0\.9720\); run 3 has val_accuracy 0\.9520, the mean of 3 seeds \(0\.9360 to 0\.9800\) \(−1\.8 ± \d\.\d points\)\.$/,
    );
  });

  test('with failed repeats count those that ended, and the report says so', () => {
    const failed = { ...steady, trainings: steady.trainings.slice(0, 2) };
    const verdict = chooseWinner(ACCURACY, 'best', ranked([lucky, failed]));
    expect(verdict.winner).toMatchObject({ runIndex: 5, score: (0.97 + 0.968) / 2 });
    expect(describeWinner(ACCURACY, verdict, named)).toContain(
      '1 of the 2 repeats of run 5 did not succeed: its score is the mean of 2.',
    );
  });

  test('of which no repeat succeeded leave the choice to the values of all runs', () => {
    const none = [lucky, steady].map((run) => ({ ...run, trainings: run.trainings.slice(0, 1) }));
    expect(chooseWinner(ACCURACY, 'best', ranked([...none, single])).winner.runIndex).toBe(3);
  });
});

/** Mean of what is expected, and of the measured value, beyond the truth of the winner, over many sweeps. */
function bias(spread: number, count: number): { readonly measured: number; readonly expected: number } {
  const sweeps = 200;
  let [measured, expected] = [0, 0];
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const stream = createStream('gains', sweep);
    const gains = Array.from({ length: count }, () => spread * stream.normal());
    const runs = drawRuns(`bias ${spread} ${sweep}`, IMAGES, 0.08, gains);
    const verdict = chooseWinner(ACCURACY, 'best', ranked(runs.map((run, index) => candidate(index, [run]))));
    const base = 1 - 0.08;
    const truth = base + (gains[verdict.winner.runIndex] ?? 0);
    measured += (verdict.winner.score - truth) / sweeps;
    expected += ((verdict.expectedScore ?? Number.NaN) - truth) / sweeps;
  }
  return { measured, expected };
}

describe('the value that is expected on new images', () => {
  test.each([
    ['at most a quarter of the luck of the measured one: equal runs', 0, 0.25],
    ['at most a quarter of it: runs that differ as much as chance does', 0.009, 0.25],
    // The measured value has little luck there, 0.25 points; the expected one is as much too low.
    ['at most as much of it: runs that differ by three times as much', 0.03, 1],
  ])('has %s', { timeout: 30_000 }, (_, spread, part) => {
    const { measured, expected } = bias(spread, 20);
    expect(measured).toBeGreaterThan(0.001);
    expect(Math.abs(expected)).toBeLessThan(part * measured + 0.0005);
  });

  test('is in the sentence, with the number of runs that chance could have put first', () => {
    const runs = drawRuns('sentence', IMAGES, 0.08, Array<number>(20).fill(0));
    const verdict = chooseWinner(ACCURACY, 'best', ranked(runs.map((run, index) => candidate(index, [run]))));
    expect(describeWinner(ACCURACY, verdict, named).at(-1)).toMatch(
      /^On new images val_accuracy 0\.9\d+ is expected of run \d+, not 0\.9\d+: the best of 20 runs that chance could have put first is lucky\.$/,
    );
  });

  test('is larger than the measured one where the objective is a loss', () => {
    const losses = (seed: number): MeasuredRun => {
      const stream = createStream('losses', seed);
      const own = Float32Array.from({ length: IMAGES }, () => Math.abs(stream.normal()));
      const value = own.reduce((sum, loss) => sum + loss, 0) / IMAGES;
      return { value, evidence: { correct: new Uint8Array(63), count: IMAGES, losses: own } };
    };
    const runs = Array.from({ length: 8 }, (_, index) => candidate(index, [losses(index)]));
    const byLoss = runs.toSorted((a, b) => a.trainings[0]!.value - b.trainings[0]!.value);
    const { winner, expectedScore } = chooseWinner(LOSS, 'best', byLoss);
    expect(expectedScore).toBeGreaterThan(winner.score);
  });

  test('is unknown for metrics by class, and for a single run', () => {
    const run = candidate(0, [rightBut(3)]);
    expect(chooseWinner(ACCURACY, 'best', [run]).expectedScore).toBeNull();
    const macroF1 = { metric: 'val_macro_f1', goal: 'maximize' } as const;
    expect(chooseWinner(macroF1, 'best', [run, candidate(1, [rightBut(4)])]).expectedScore).toBeNull();
  });
});

test('parts are named by their fractions', () => {
  expect([0.5, 0.34, 0.165, 0.11, 0.38, 0.004].map(inWords)).toEqual([
    'half',
    'a third',
    'a sixth',
    'a ninth',
    '38 %',
    'less than a hundredth',
  ]);
});
