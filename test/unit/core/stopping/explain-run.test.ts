import { describe, expect, test } from 'vitest';
import type { DecisionRecord, RungEntryRecord, RunExplanation } from '../../../../services/core/records/explanation.ts';
import type { RunRecord } from '../../../../services/core/records/run.ts';
import type { SearchEnd } from '../../../../services/core/records/decision.ts';
import { nextAction } from '../../../../services/core/stopping/advance.ts';
import { explainRun } from '../../../../services/core/stopping/explain-run.ts';
import { whyRuleIsIdle } from '../../../../services/core/stopping/idle-rule.ts';
import { rankedRivals } from '../../../../services/core/stopping/rung-table.ts';
import { tableAt } from '../../../../services/core/stopping/search-state.ts';
import type { SearchRunStatus, SearchState } from '../../../../services/core/stopping/search-state.ts';
import { describePolicy } from '../../../../services/core/stopping/describe-policy.ts';
import { pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../../services/core/stopping/policy.ts';
import type { StoppingSpec } from '../../../../services/core/sweep/search-spec.ts';
import { alike, entryOf, searchPolicy } from '../support/search-inputs.ts';

/** A run by its status, and its value at each rung that it entered. */
type Given = readonly [SearchRunStatus, ...number[]];

const NO_BUDGET: SearchState['spending'] = {
  budget: null,
  spentSeconds: 0,
  reservedSeconds: 0,
  wallSeconds: null,
  best: null,
};

/** Returns the state of a search with rungs at epochs 3 and 9 of 27, and at the end. */
function stateOf(given: readonly Given[], more: Partial<SearchState> = {}, stopping: Partial<StoppingSpec> = {}) {
  const runs = alike(given.length);
  const policy = searchPolicy(runs, { rule: 'promotion', ...stopping });
  const rungs = policy.ladder.map(({ number }) =>
    given.flatMap(([, ...values], index) => {
      const value = values[number];
      return value === undefined ? [] : [entryOf(index, value, { continues: number < policy.ladder.length - 1 })];
    }),
  );
  const state: SearchState = {
    rungs: rungs.map((entries) => entries.map((entry, index) => ({ ...entry, arrival: index + 1 }))),
    runs: given.map(([status, ...values], index) => ({
      index,
      status,
      rung: values.length === 0 ? null : values.length - 1,
      path: pathOf(policy.ladder, runs[index]!),
      nextSeconds: 10,
      idleFrom: [],
    })),
    slots: { count: 1, idle: 0 },
    openTasks: 1,
    spending: NO_BUDGET,
    ...more,
  };
  return { policy, state };
}

function explained(
  { policy, state }: { readonly policy: SearchPolicy; readonly state: SearchState },
  index: number,
  more: { readonly end?: SearchEnd; readonly maxRuns?: number; readonly decisions?: readonly DecisionRecord[] } = {},
): Omit<RunExplanation, 'origin'> {
  const entries = policy.ladder.flatMap(({ number }) =>
    state.rungs[number]!.map((entry): RungEntryRecord => ({
      rung: number,
      runId: `s1-r00${entry.runIndex}`,
      place: rankedRivals(policy.objective, tableAt(policy, state, number)).indexOf(entry) + 1,
      competes: entry.continues,
      hasEvidence: false,
      decision: 'PAUSE',
      reason: '',
      ...entry,
    })),
  );
  const run = {
    runId: `s1-r00${index}`,
    runIndex: index,
    state: 'PAUSED',
    endCause: null,
    repeatOfRunId: null,
  } as RunRecord;
  const stored = { policy, rungs: state.rungs, paths: state.runs.map(({ path }) => path) };
  const rungs = policy.ladder.map(({ number: rung, stage, epoch }) => ({
    rung,
    stage,
    epoch,
    entryCount: state.rungs[rung]!.length,
  }));
  const { end = null, maxRuns = null, decisions = [] } = more;
  const search = { policy, end, rungs };
  return explainRun({ run, sweep: { sweepId: 's1', maxRuns }, search, entries, stored, state, decisions }, new Map());
}

function outlook(...given: Parameters<typeof explained>): readonly string[] {
  return explained(...given).outlook;
}

const paused = (...values: number[]): Given => ['PAUSED', ...values];
const training: Given = ['TRAINING'];
const RUNG_0 = 'rung 0 (fine-tuning, epoch 3)';
const IDLE = 'is promoted by a slot that would idle while the sweep still trains.';

describe('the outlook of a run that waits', () => {
  test('names the runs that are missing before anything is promoted', () => {
    const state = stateOf([paused(0.9), paused(0.5), training, training, training, training, training]);
    expect(outlook(state, 0)).toEqual([
      `Nothing is promoted from ${RUNG_0} before 6 runs are there, or none can come any more: 2 are, and 5 can still come.`,
    ]);
  });

  test('counts failed runs as the rule does: the run at place 4 of 9 is promoted next', () => {
    const state = stateOf([
      ['DONE', 0.9, 0.9, 0.9],
      ['DONE', 0.8, 0.9, 0.9],
      ['DONE', 0.7, 0.8, 0.8],
      paused(0.6),
      paused(0.5),
      paused(0.4),
      ['FAILED'],
      ['FAILED'],
      ['FAILED'],
    ]);
    const openTasks = 0;
    expect(nextAction(state.policy, { ...state.state, openTasks })).toMatchObject({ runIndex: 3, place: 4, cut: 4 });
    expect(outlook(state, 3)).toEqual([
      `It is among the best 4 of 9 at ${RUNG_0}, and is promoted when a slot is free.`,
    ]);
    const [visit] = explained(state, 3).visits;
    expect(visit).toMatchObject({ cut: 4, failedCount: 3, seenCount: 6, rivalCount: 9 });
    expect(visit?.seen.map(({ place, runIndex }) => [place, runIndex])).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) => [index + 1, index]),
    );
  });

  test('names how many worse runs let it through, and whether that number can come', () => {
    const values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];
    const state = stateOf([...values.map((value) => paused(value)), training, training, training]);
    const standing = (place: number) => `It is at place ${place} of 6 at ${RUNG_0}, and the best 3 are promoted.`;
    expect(outlook(state, 3)).toEqual([
      `${standing(4)} It is promoted after 3 more runs there that are worse; 3 can still come.`,
    ]);
    expect(outlook(state, 4)).toEqual([
      `${standing(5)} That takes 6 more runs there that are worse, and only 3 can still come.`,
    ]);
  });

  test('counts runs that wait below among those that can still come', () => {
    const high = [0.9, 0.8, 0.7].map((value) => paused(value, value));
    const low = [0.6, 0.5, 0.4, 0.3, 0.2, 0.1].map((value) => paused(value));
    expect(outlook(stateOf([...high, ...low], {}, { minEntries: 3 }), 2)[0]).toBe(
      'It is at place 3 of 3 at rung 1 (fine-tuning, epoch 9), and the best 2 are promoted. It is promoted after 3 more runs there that are worse; 6 can still come.',
    );
  });
});

describe('the outlook on idle slots', () => {
  const slots = { count: 8, idle: 1 };
  const values = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];
  const trained: Given[] = values.slice(0, 3).map((value) => ['TRAINING', value]);

  test('is that of the run which the rule takes: the best of the lowest rung', () => {
    const high: Given[] = [0.9, 0.8, 0.7].map((value) => paused(value, value));
    const low: Given[] = [0.65, 0.6, 0.5, 0.4, 0.3].map((value) => paused(value));
    const more: Given[] = Array.from({ length: 4 }, (_, index) => ['TRAINING', 0.95 + index / 100]);
    const state = stateOf([...high, ...low, ...more], { slots, openTasks: 4 });
    const next = nextAction(state.policy, state.state);
    expect(next).toMatchObject({ kind: 'PROMOTE', idle: true, runIndex: 3, rung: 0 });
    expect(outlook(state, 3).at(-1)).toBe(`It ${IDLE}`);
    expect(outlook(state, 4).at(-1)).toBe(`After 1 better run there, it ${IDLE}`);
    expect(outlook(state, 2).at(-1)).toBe(
      `A slot that would idle promotes runs from ${RUNG_0} first, because runs wait there, too.`,
    );
  });

  test('ends with half a cut', () => {
    const state = stateOf([...trained, ...values.slice(3).map((value) => paused(value))], { slots, openTasks: 3 });
    const runs = state.state.runs.map((run) => (run.index === 2 ? { ...run, idleFrom: [0] } : run));
    expect(outlook({ ...state, state: { ...state.state, runs } }, 3).at(-1)).toBe(
      `Slots that would idle have promoted half as many runs from ${RUNG_0} as its cut, and promote no more.`,
    );
  });

  test.each([
    ['with a budget of slot-seconds', { budget: { slotSeconds: 900, wallSeconds: null, target: null } }, {}],
    ['without promote_idle', {}, { promoteIdle: false }],
  ])('is nothing %s', (_case, spending, stopping) => {
    const state = stateOf(
      [...trained, ...values.slice(3).map((value) => paused(value))],
      { slots, openTasks: 3, spending: { ...NO_BUDGET, ...spending } },
      stopping,
    );
    expect(nextAction(state.policy, state.state)).toBeNull();
    expect(outlook(state, 3)).toEqual([
      `It is at place 4 of 6 at ${RUNG_0}, and the best 3 are promoted. That takes 3 more runs there that are worse, and no other run can come.`,
    ]);
  });
});

describe('the outlook after the end', () => {
  const six = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];

  /** Ends a search by a budget: two runs are promoted, the third one is not paid. */
  function afterBudget() {
    const given: Given[] = [['DONE', 0.9, 0.9, 0.9], ['DONE', 0.8, 0.8], ...six.slice(2).map((value) => paused(value))];
    const budget = { slotSeconds: 600, wallSeconds: null, target: null };
    const state = stateOf(given, { openTasks: 0, spending: { ...NO_BUDGET, budget, spentSeconds: 585 } });
    const runs = state.state.runs.map((run) => ({ ...run, nextSeconds: 240 }));
    return { ...state, state: { ...state.state, runs } };
  }

  test('of slot-seconds names a budget that promotes the run, which a smaller one does not', () => {
    const ended = afterBudget();
    const { policy, state } = ended;
    expect(nextAction(policy, state)).toMatchObject({ kind: 'END', cause: 'BUDGET' });
    expect(outlook(ended, 2, { end: 'BUDGET' })).toEqual([
      `The search has ended. It is at place 3 of 6 at ${RUNG_0}, and the best 3 are promoted. ` +
        'Its way to the next rung takes about 240 slot-seconds, and 15 were left: ' +
        '`graft sweep extend s1 --slot-seconds 830` continues it.',
    ]);
    const withBudget = (slotSeconds: number) =>
      nextAction(policy, {
        ...state,
        spending: { ...state.spending, budget: { ...state.spending.budget!, slotSeconds } },
      });
    expect(withBudget(830)).toMatchObject({ kind: 'PROMOTE', runIndex: 2 });
    expect(withBudget(820)).toMatchObject({ kind: 'END' });
  });

  test('by decisions names a budget for a run within the cut, which the present one does not pay', () => {
    expect(outlook(afterBudget(), 2, { end: 'ALL_DECIDED' })).toEqual(outlook(afterBudget(), 2, { end: 'BUDGET' }));
    expect(outlook(afterBudget(), 2, { end: 'ALL_DECIDED' })).toHaveLength(1);
  });

  test('of slot-seconds says that they do not help a run beyond the cut', () => {
    expect(outlook(afterBudget(), 4, { end: 'BUDGET', maxRuns: 6 })).toEqual([
      `The search has ended. It is at place 5 of 6 at ${RUNG_0}, and the best 3 are promoted: more slot-seconds alone do not promote it.`,
      'It is promoted after 6 more runs there that are worse: `graft sweep extend s1 --max-runs 12 --slot-seconds none` adds runs, and it waits again.',
    ]);
  });

  test('counts the runs that must start for one to come to a higher rung', () => {
    const given: Given[] = [0.9, 0.8, 0.7].map((value) => paused(value, value));
    const ended = stateOf([...given, ...six.slice(3).map((value) => paused(value))], {}, { minEntries: 3 });
    expect(outlook(ended, 2, { end: 'ALL_DECIDED', maxRuns: 6 })).toEqual([
      'The search has ended. It is at place 3 of 3 at rung 1 (fine-tuning, epoch 9), and the best 2 are promoted.',
      'It is promoted after 3 more runs there that are worse: `graft sweep extend s1 --max-runs 15` adds runs, and it waits again.',
    ]);
  });

  test('by decisions names the runs that bring it back', () => {
    const ended = stateOf([['DONE', 0.9, 0.9, 0.9], ...six.slice(1).map((value) => paused(value))]);
    expect(outlook(ended, 3, { end: 'ALL_DECIDED' })).toEqual([
      `The search has ended. It is at place 4 of 6 at ${RUNG_0}, and the best 3 are promoted.`,
      'It is promoted after 3 more runs there that are worse: `graft sweep extend s1 --variant NAME=VALUE,…` adds runs, and it waits again.',
    ]);
  });

  test.each([
    [
      'WALL_TIME',
      'The wall time had passed before it was promoted. `graft sweep extend s1 --wall-time DURATION` continues the search.',
    ],
    [
      'TARGET',
      'The target was reached before it was promoted. `graft sweep extend s1 --target none` continues the search.',
    ],
  ] as const)('by %s names the bound to move', (end, sentence) => {
    expect(outlook(stateOf(six.map((value) => paused(value))), 3, { end })).toEqual([sentence]);
  });
});

describe('the notes of a rule that has decided nothing', () => {
  const { policy } = stateOf([training]);
  const none = policy.ladder.map(() => ({ entryCount: 0, judgedCount: 0 }));
  const at = (first: { entryCount: number; judgedCount: number }) => [first, ...none.slice(1)];

  test.each([
    ['before the first rung', none, `promotion@2 has judged no run: no run has reached ${RUNG_0}.`],
    [
      'of runs that end there',
      at({ entryCount: 3, judgedCount: 0 }),
      `promotion@2 has judged no run: ${RUNG_0} is the last rung of each run that has reached it, and a run is not stopped at its end.`,
    ],
    [
      'of too few',
      at({ entryCount: 5, judgedCount: 5 }),
      'promotion@2 has stopped and promoted no run: it decides from 6 runs at a rung, and at most 5 runs came to one.',
    ],
    [
      'of enough',
      at({ entryCount: 8, judgedCount: 8 }),
      'promotion@2 has judged runs at 1 rung, and stopped and promoted none.',
    ],
  ])('are the reason: %s', (_case, rungs, sentence) => {
    expect(whyRuleIsIdle(policy, rungs, false)).toBe(sentence);
    expect(whyRuleIsIdle(policy, rungs, true)).toBeNull();
    expect(whyRuleIsIdle({ ...policy, rule: 'none@2' }, rungs, false)).toBeNull();
  });
});

test('the policy says what idle slots promote, where they do', () => {
  const { policy } = stateOf([training]);
  const budget = { slotSeconds: 1, wallSeconds: null, target: null };
  const rule = 'runs pause at each rung, and the best ⌊n/3⌋ + 1 of n are promoted, from 6 runs at a rung on';
  const idle =
    'a slot that would idle while the sweep still trains promotes the best run that waits at the lowest rung';
  expect(describePolicy(policy, null)).toBe(`${rule}; ${idle}.`);
  expect(describePolicy(policy, { ...budget, slotSeconds: null })).toBe(`${rule}; ${idle}.`);
  expect(describePolicy(policy, budget)).toBe(`${rule}.`);
  expect(describePolicy({ ...policy, promoteIdle: false }, null)).toBe(`${rule}.`);
});
