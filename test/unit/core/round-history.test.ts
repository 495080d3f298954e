import { expect, test } from 'vitest';
import { fineTuneHistory, headHistory } from '../../../services/core/search-round/history.ts';
import { pathOf } from '../../../services/core/stopping/ladder.ts';
import type { RungEntry } from '../../../services/core/stopping/rung-table.ts';
import type { SearchRun, SearchState } from '../../../services/core/stopping/search-state.ts';
import { ACCURACY, LOSS, alike, entryOf, searchPolicy } from './support/search-inputs.ts';

const SHAPE = { headEpochs: 5, augmented: false, fineTuneEpochs: 27 };

function stateOf(runs: readonly Partial<SearchRun>[], rungs: readonly (readonly RungEntry[])[], objective = ACCURACY) {
  const policy = searchPolicy(alike(runs.length, SHAPE), {}, objective);
  const path = pathOf(policy.ladder, { index: 0, ...SHAPE });
  const state: SearchState = {
    rungs: policy.ladder.map((_, rung) => rungs[rung] ?? []),
    runs: runs.map((run, index) => ({ index, status: 'PAUSED', rung: 0, path, nextSeconds: 1, idleFrom: [], ...run })),
    slots: { count: 1, idle: 0 },
    openTasks: 0,
    spending: { budget: null, spentSeconds: 0, reservedSeconds: 0, wallSeconds: 0, best: null },
  };
  return { policy, state, parameters: runs.map((_, seed) => ({ seed })) };
}

test('the model of the heads knows values with their variance, and failed, stopped and planned runs', () => {
  const entries = [entryOf(0, 0.8, { standardError: 0.02 }), entryOf(1, Number.NaN), entryOf(5, 0.7)];
  const runs: Partial<SearchRun>[] = [
    {},
    {},
    { status: 'FAILED', rung: null },
    { status: 'INFEASIBLE', rung: null },
    { status: 'BELOW', rung: null },
    { status: 'FAILED', rung: 0 },
  ];
  const known = stateOf(runs, [entries]);
  expect(headHistory(known.policy, known.state, known.parameters).map(({ status, score }) => [status, score])).toEqual([
    ['SCORED', { value: 0.8, variance: 0.0004, rung: 0 }],
    ['STOPPED', null],
    ['STOPPED', null],
    ['INFEASIBLE', null],
    ['PENDING', null],
    ['SCORED', { value: 0.7, variance: null, rung: 0 }],
  ]);
  const losses = stateOf(runs, [entries], LOSS);
  expect(headHistory(losses.policy, losses.state, losses.parameters)[0]?.score?.value).toBe(-0.8);
});

test('the model of fine-tuning knows the highest rung of each run that was promoted', () => {
  const heads = [0, 1, 2, 3].map((run) => entryOf(run, 0.5));
  const tuned = [entryOf(0, 0.6), entryOf(1, 0.7)];
  const higher = [entryOf(1, 0.9)];
  const runs: Partial<SearchRun>[] = [
    { rung: 1 },
    { rung: 2, status: 'TRAINING' },
    { rung: 0, status: 'TRAINING' },
    { rung: 0 },
  ];
  const { policy, state, parameters } = stateOf(runs, [heads, tuned, higher]);
  expect(
    fineTuneHistory(policy, state, parameters).map(({ index, status, score }) => [index, status, score?.value]),
  ).toEqual([
    [0, 'STOPPED', 0.6],
    [1, 'STOPPED', 0.9],
    [2, 'PENDING', undefined],
  ]);
});

test('of a long search the last thousand and the best hundred of those before count', () => {
  const count = 5_000;
  const runs = Array.from({ length: count }, (): Partial<SearchRun> => ({}));
  const { policy, state, parameters } = stateOf(runs, [
    runs.map((_, index) => entryOf(index, index % 40 === 0 ? 0.9 + index / 1e6 : 0.1)),
  ]);
  const history = headHistory(policy, state, parameters);
  expect(history).toHaveLength(1_100);
  expect(history.filter(({ index }) => index >= 4_000)).toHaveLength(1_000);
  expect(history.filter(({ index }) => index < 4_000).every(({ index }) => index % 40 === 0)).toBe(true);
});
