import { expect, test } from 'vitest';
import type { Objective } from '../../../services/core/objective.ts';
import { canBeBest, compareRuns, describeTie, findBest } from '../../../services/core/ranking.ts';
import type { RankedRun } from '../../../services/core/ranking.ts';

const LOSS: Objective = { metric: 'val_loss', goal: 'minimize' };
const ACCURACY: Objective = { metric: 'val_accuracy', goal: 'maximize' };

function ranked(
  runIndex: number,
  bestValue: number | null,
  other: number | null,
  change: Partial<RankedRun> = {},
): RankedRun {
  return { runIndex, state: 'SUCCEEDED', bestValue, bestValLoss: other, bestValAccuracy: other, ...change };
}

function order(objective: Objective, runs: readonly RankedRun[]): number[] {
  return [...runs].sort((a, b) => compareRuns(objective, a, b)).map(({ runIndex }) => runIndex);
}

test('orders equal values by the other metric, then by number', () => {
  const runs = [
    ranked(0, 0.9, 0.5),
    ranked(1, 0.9, 0.3),
    ranked(2, 0.8, 0.1),
    ranked(3, 0.9, 0.3),
    ranked(4, 0.9, null),
  ];
  expect(order(ACCURACY, runs)).toEqual([1, 3, 0, 4, 2]);
  expect(order(LOSS, runs)).toEqual([2, 0, 1, 3, 4]);
});

test('never ranks a failed run, or one without a finite value, as the best', () => {
  const runs = [
    ranked(0, 0.99, 0.1, { state: 'FAILED' }),
    ranked(1, 0.98, 0.1, { state: 'INFEASIBLE' }),
    ranked(2, 0.97, 0.1, { state: 'CANCELLED' }),
    ranked(3, NaN, 0.1),
    ranked(4, Infinity, 0.1),
    ranked(5, null, null),
  ];
  expect(runs.filter(canBeBest)).toEqual([]);
  expect(findBest(ACCURACY, runs)).toBeNull();
  const usable = ranked(6, 0.5, 0.7, { state: 'STOPPED' });
  expect(findBest(ACCURACY, [...runs, usable])).toBe(usable);
  expect(order(ACCURACY, [...runs, usable])).toEqual([6, 0, 1, 2, 3, 4, 5]);
});

test('names the runs that tie with the best one and the tie-breaker', () => {
  const best = ranked(3, 0.9, 0.2);
  const say = (...others: readonly RankedRun[]): string => describeTie(ACCURACY, best, [...others, best]);
  expect(say(ranked(0, 0.8, 0.1), ranked(1, 0.9, 0.1, { state: 'FAILED' }))).toBe('');
  expect(say(ranked(1, 0.9, 0.3))).toBe('tied with run 1; broken by val_loss');
  expect(say(ranked(4, 0.9, 0.2))).toBe('tied with run 4; val_loss is the same, so broken by run number');
  expect(say(ranked(4, 0.9, 0.2), ranked(1, 0.9, 0.3))).toBe(
    'tied with runs 4, 1; broken by val_loss, then by run number',
  );
  expect(describeTie(LOSS, ranked(0, 0.1, 0.9), [ranked(2, 0.1, 0.8)])).toBe('tied with run 2; broken by val_accuracy');
  const many = Array.from({ length: 8 }, (_, index) => ranked(10 + index, 0.9, 0.5));
  expect(say(...many)).toBe('tied with runs 10, 11, 12, 13, 14 and 3 more; broken by val_loss');
});
