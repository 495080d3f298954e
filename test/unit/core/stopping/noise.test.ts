import { describe, expect, test } from 'vitest';
import type { Objective } from '../../../../services/core/objective.ts';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { stateWinner } from '../../../../services/core/stopping/winner-statement.ts';
import type { MeasuredRun } from '../support/noisy-runs.ts';
import { drawRuns } from '../support/noisy-runs.ts';
import { ACCURACY, LOSS, alike, searchPolicy } from '../support/search-inputs.ts';
import { simulate } from '../support/search-simulation.ts';

const SEEDS = 200;
const IMAGES = 1000;

/** Part of the runs that a rule stops over their life, of 24 equal runs at three rungs on four slots. */
function stoppedPart(rule: 'paired' | 'asha'): number {
  const runs = alike(24);
  const policy = searchPolicy(runs, { rule });
  let stopped = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const gains = runs.map(() => 0);
    const measured = policy.ladder.map(({ number }) => drawRuns(`equal ${seed} ${number}`, IMAGES, 0.06, gains));
    const outcome = simulate({
      policy,
      runs,
      slots: 4,
      scoreOf: (run, { rung }) => measured[rung]![run]!.value,
      evidenceOf: (run, { rung }) => measured[rung]![run]!.evidence,
    });
    stopped += outcome.runs.filter(({ status }) => status === 'STOPPED').length;
  }
  return stopped / SEEDS / runs.length;
}

describe('24 equal runs', () => {
  test('paired stops at most a tenth of them', { timeout: 60_000 }, () => {
    expect(stoppedPart('paired')).toBeLessThanOrEqual(0.1);
  });
});

/** Part of the sweeps in which the best of 20 runs is called distinguishable from the baseline, run 0. */
function claimedPart(objective: Objective, draw: (seed: number) => readonly MeasuredRun[]): number {
  let claims = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const runs = draw(seed).map((run, runIndex) => ({ ...run, runIndex }));
    const sign = objective.goal === 'maximize' ? 1 : -1;
    const [best] = runs.toSorted((a, b) => sign * (b.value - a.value) || a.runIndex - b.runIndex);
    if (stateWinner(objective, best!, runs[0]!, runs.length).distinguishable === true) claims++;
  }
  return claims / SEEDS;
}

describe('the winner of 20 runs', () => {
  const gains = (gain: number): number[] => Array.from({ length: 20 }, (_, run) => (run === 7 ? gain : 0));
  const accuracies = (gain: number) => (seed: number) => drawRuns(`winner ${seed}`, IMAGES, 0.08, gains(gain));

  /** Losses that share the difficulty of each image. */
  const losses = (gain: number) => (seed: number) => {
    const difficulty = createStream('difficulty', seed);
    const hard = Array.from({ length: IMAGES }, () => -Math.log(1 - difficulty.uniform()) / 5);
    return gains(gain).map((better, run): MeasuredRun => {
      const stream = createStream('losses', seed, run);
      const own = Float32Array.from(hard, (loss) => loss - better + Math.abs(stream.normal()) / 10);
      const value = own.reduce((sum, loss) => sum + loss, 0) / IMAGES;
      return { value, evidence: { correct: new Uint8Array(IMAGES / 8), count: IMAGES, losses: own } };
    });
  };

  test('is not distinguishable from the baseline where all are copies of it, in 90 % of the sweeps or more', () => {
    expect(claimedPart(ACCURACY, accuracies(0))).toBeLessThanOrEqual(0.1);
    expect(claimedPart(LOSS, losses(0))).toBeLessThanOrEqual(0.1);
  });

  test('is distinguishable where it is 3 points better, in most sweeps', () => {
    expect(claimedPart(ACCURACY, accuracies(0.03))).toBeGreaterThan(0.6);
    expect(claimedPart(LOSS, losses(0.01))).toBeGreaterThan(0.6);
  });

  test('is named with the numbers', () => {
    const runs = accuracies(0.05)(1);
    const named = (runIndex: number) => ({ runIndex, evidence: runs[runIndex]!.evidence });
    const statement = stateWinner(ACCURACY, named(7), named(0), 20);
    expect(statement.distinguishable).toBe(true);
    expect(statement.sentence).toMatch(
      /^Run 7 is better than the baseline on the validation images: \d+ images only run 7 is right on, \d+ only the baseline; p = [\d.e-]+, corrected for the choice among 20 runs\.$/,
    );
    const alone = stateWinner(ACCURACY, named(7), named(0), 2);
    expect(statement.pValue).toBeCloseTo(19 * alone.pValue!, 12);
  });

  test('names the epochs that were compared where they are not the best ones', () => {
    const runs = accuracies(0.05)(1);
    const at = (runIndex: number, epoch: number) =>
      ({ runIndex, evidence: runs[runIndex]!.evidence, measuredAt: { stage: 'FINE_TUNE', epoch } }) as const;
    const best = { runIndex: 7, evidence: runs[7]!.evidence };
    expect(stateWinner(ACCURACY, best, at(0, 3), 20).sentence).toMatch(
      / runs; run 0 at fine-tuning, epoch 3, which is not its best epoch\.$/,
    );
    expect(stateWinner(ACCURACY, at(7, 9), at(0, 3), 20).sentence).toMatch(
      / runs; run 7 at fine-tuning, epoch 9, and run 0 at fine-tuning, epoch 3, which are not their best epochs\.$/,
    );
  });

  test('is compared where both were measured if no rule trained the baseline to its end, and may be worse there', () => {
    const runs = accuracies(0.05)(1);
    const named = (runIndex: number, of = runIndex) => ({ runIndex, evidence: runs[of]!.evidence });
    const rung = { stage: 'FINE_TUNE', epoch: 4 } as const;
    const common = 'both at fine-tuning, epoch 4, because the baseline was not trained further';
    expect(stateWinner(ACCURACY, named(1), named(0), 20, rung)).toMatchObject({
      distinguishable: false,
      sentence: expect.stringMatching(
        new RegExp(`^Run 1 is not distinguishable from .* 20 runs; ${common}\\.$`),
      ) as string,
    });
    expect(stateWinner(ACCURACY, named(1, 0), named(0, 7), 20, rung).sentence).toMatch(
      /^Run 1 is worse than the baseline /,
    );
  });

  test('is compared in accuracy, and the sentence says so, where a metric by class chose it', () => {
    const macroF1: Objective = { metric: 'val_macro_f1', goal: 'maximize' };
    const runs = accuracies(0.05)(1);
    const named = (runIndex: number) => ({ runIndex, evidence: runs[runIndex]!.evidence });
    const by = 'in accuracy \\(val_macro_f1 has no value for a single image\\) on the validation images: ';
    const better = stateWinner(macroF1, named(7), named(0), 20);
    expect(better.distinguishable).toBe(true);
    expect(better.sentence).toMatch(new RegExp(`^Run 7 is better than the baseline ${by}`));
    // A run may be the best by class and find fewer images.
    const worse = stateWinner(macroF1, { ...named(0), runIndex: 7 }, { ...named(7), runIndex: 0 }, 20);
    expect(worse.sentence).toMatch(new RegExp(`^Run 7 is worse than the baseline ${by}`));
    const equal = stateWinner(macroF1, named(1), named(0), 20);
    expect(equal.distinguishable).toBe(false);
    expect(equal.sentence).toMatch(new RegExp(`^Run 1 is not distinguishable from the baseline ${by}`));
  });

  test('has no statement without evidence, and none is needed where it is the baseline', () => {
    const silent = (runIndex: number) => ({ runIndex, evidence: null });
    expect(stateWinner(ACCURACY, silent(1), silent(0), 20)).toMatchObject({
      distinguishable: null,
      sentence: 'It is unknown whether run 1 is better than the baseline: the trainer sent no results for each image.',
    });
    expect(stateWinner(ACCURACY, silent(0), silent(0), 20)).toMatchObject({
      distinguishable: false,
      sentence: 'The baseline is the best of 20 runs.',
    });
  });
});
