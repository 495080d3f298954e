import { describe, expect, test } from 'vitest';
import { nextAction } from '../../../../services/core/stopping/advance.ts';
import { actionInputs, stateOf } from '../../../../services/core/stopping/decision-inputs.ts';
import { chooseFinalists } from '../../../../services/core/stopping/finalists.ts';
import type { FinalRun } from '../../../../services/core/stopping/finalists.ts';
import type { SearchPolicy } from '../../../../services/core/stopping/policy.ts';
import { policyOf } from '../../../../services/core/stopping/policy.ts';
import { replay } from '../../../../services/core/stopping/replay.ts';
import type { SearchRun, SearchState } from '../../../../services/core/stopping/search-state.ts';
import { packOutcomes } from '../support/noisy-runs.ts';
import { ACCURACY } from '../support/search-inputs.ts';

const IMAGES = 500;

/** A run that is wrong on `wrong` images, from `from` on. */
function final(index: number, wrong: number, more: Partial<FinalRun> & { readonly from?: number } = {}): FinalRun {
  const { from = 50 * index, ...rest } = more;
  const evidence = packOutcomes(Array.from({ length: IMAGES }, (_, image) => image < from || image >= from + wrong));
  return { index, value: 1 - wrong / IMAGES, evidence, modelBytes: null, isHeadOnly: false, seconds: 0, ...rest };
}

const chosen = (limit: number, finals: readonly FinalRun[]): number[] =>
  chooseFinalists(ACCURACY, limit, finals).map(({ run }) => run.index);

describe('finalists', () => {
  test('are the best run and those that are not distinguishable from it', () => {
    // 30 wrong against 10: p < 0.001; 14 against 10: p = 0.2.
    expect(chosen(3, [final(0, 10), final(1, 14), final(2, 30)])).toEqual([0, 1]);
    expect(chooseFinalists(ACCURACY, 3, [final(0, 10), final(1, 14)]).map(({ reason }) => reason)).toEqual([
      'the best run',
      'not distinguishable from run 0: 14 images only run 0 is right on, 10 only run 1, p = 0.21',
    ]);
  });

  test('are at most as many as asked for, of equal values the smallest first', () => {
    const equal = [1, 2, 3].map((index) => final(index, 12, { modelBytes: 100 - index }));
    expect(chosen(3, [final(0, 10), ...equal])).toEqual([0, 3, 2]);
  });

  test('have the best head among them, if it is not worse', () => {
    const tuned = [0, 1, 2, 3].map((index) => final(index, 10));
    expect(chosen(3, [...tuned, final(4, 14, { isHeadOnly: true }), final(5, 15, { isHeadOnly: true })])).toEqual([
      0, 1, 4,
    ]);
    expect(chosen(3, [...tuned, final(4, 40, { isHeadOnly: true })])).toEqual([0, 1, 2]);
    expect(chosen(1, [...tuned, final(4, 14, { isHeadOnly: true })])).toEqual([0]);
  });

  test('are chosen by value where no results by image are stored', () => {
    expect(chosen(2, [final(0, 10, { evidence: null }), final(1, 40), final(2, 41)])).toEqual([0, 1]);
  });
});

function policyWith(seeds = 3): SearchPolicy {
  return policyOf({ seed: 0, objective: ACCURACY, finalists: { runs: 3, seeds } }, []);
}

function run(index: number, status: SearchRun['status'], repeatOf?: number): SearchRun {
  return {
    index,
    status,
    rung: null,
    path: [],
    nextSeconds: 0,
    idleFrom: [],
    ...(repeatOf === undefined ? {} : { repeatOf }),
  };
}

function stateWith(runs: readonly SearchRun[], more: Partial<SearchState> = {}): SearchState {
  return {
    rungs: [],
    runs,
    slots: { count: 1, idle: 1 },
    openTasks: 0,
    spending: { budget: null, spentSeconds: 0, reservedSeconds: 0, wallSeconds: 0, best: null },
    finals: [final(0, 10, { seconds: 30 }), final(1, 14, { seconds: 30 }), final(2, 30, { seconds: 30 })],
    ...more,
  };
}

const DONE = [run(0, 'DONE'), run(1, 'DONE'), run(2, 'DONE')];
const bounded = (slotSeconds: number, spentSeconds = 0): Partial<SearchState> => ({
  spending: {
    budget: { slotSeconds, wallSeconds: null, target: null },
    spentSeconds,
    reservedSeconds: 0,
    wallSeconds: 0,
    best: null,
  },
});

describe('a search with finalists', () => {
  test('repeats them one after the other, then waits, then ends', () => {
    const policy = policyWith();
    expect(nextAction(policy, stateWith(DONE))).toMatchObject({
      kind: 'REPEAT',
      runIndex: 0,
      place: 1,
      cut: 2,
      seeds: 3,
      reason: 'repeated with 2 further seeds: finalist 1 of 2, val_accuracy 0.98, the best run',
    });
    const first = [...DONE, run(3, 'BELOW', 0), run(4, 'BELOW', 0)];
    expect(nextAction(policy, stateWith(first))).toMatchObject({ kind: 'REPEAT', runIndex: 1, place: 2 });
    const both = [...first, run(5, 'BELOW', 1), run(6, 'BELOW', 1)];
    expect(nextAction(policy, stateWith(both))).toBeNull();
    const ended = both.map((one) => ({ ...one, status: one.index === 5 ? ('FAILED' as const) : ('DONE' as const) }));
    expect(nextAction(policy, stateWith(ended))).toMatchObject({
      kind: 'END',
      cause: 'ALL_DECIDED',
      reason: 'all runs are decided: 3 of 3 trained to their end',
    });
  });

  test('repeats nothing while another run trains, nor without the section or with one seed', () => {
    expect(nextAction(policyWith(), stateWith([...DONE, run(3, 'TRAINING')]))).toBeNull();
    expect(nextAction(policyWith(1), stateWith(DONE))).toMatchObject({ kind: 'END' });
    expect(policyOf({ seed: 0, objective: ACCURACY }, [])).not.toHaveProperty('finalists');
  });

  test('repeats as many as the budget pays for, and none if that is only one of several', () => {
    const policy = policyWith();
    expect(nextAction(policy, stateWith(DONE, bounded(120)))).toMatchObject({ kind: 'REPEAT', cut: 2 });
    expect(nextAction(policy, stateWith(DONE, bounded(119)))).toMatchObject({
      kind: 'END',
      cause: 'BUDGET',
      reason: '2 of 2 finalists are not repeated: it needs 120 slot-seconds and 119 are left',
    });
    const three = stateWith(DONE, {
      ...bounded(150),
      finals: [0, 1, 2].map((index) => final(index, 10, { seconds: 30 })),
    });
    expect(nextAction(policy, three)).toMatchObject({ kind: 'REPEAT', cut: 2 });
  });

  test('ends by a bound that is reached, without repeating', () => {
    expect(nextAction(policyWith(), stateWith(DONE, bounded(100, 100)))).toMatchObject({
      kind: 'END',
      cause: 'BUDGET',
    });
  });

  test('replays its decisions from the stored inputs and the results by image', () => {
    const policy = policyWith();
    const states = [stateWith(DONE), stateWith([...DONE, run(3, 'BELOW', 0), run(4, 'BELOW', 0)])];
    const decisions = states.map((state, index) => {
      const action = nextAction(policy, state);
      if (action?.kind !== 'REPEAT') throw new Error('expected a repetition');
      const { kind, runIndex, rule, place, cut, reason } = action;
      const inputs = JSON.parse(JSON.stringify(actionInputs(state))) as ReturnType<typeof actionInputs>;
      expect(inputs.finals?.[0]).not.toHaveProperty('evidence');
      const none = { rung: null, pValue: null, alpha: null };
      return { ...none, decisionId: index + 1, kind, runIndex, rule, place, cut, reason, inputs };
    });
    const stored = {
      policy,
      rungs: [],
      paths: [],
      repeats: new Map([
        [3, 0],
        [4, 0],
      ]),
      finalEvidence: new Map(states[0]!.finals!.map(({ index, evidence }) => [index, evidence!])),
    };
    expect(stateOf(stored, decisions[1]!.inputs)).toEqual(states[1]);
    expect(replay(stored, decisions)).toEqual([]);
    const swapped = decisions.map((decision) => ({ ...decision, runIndex: 1 - decision.runIndex }));
    expect(replay(stored, swapped)).toHaveLength(2);
  });
});
