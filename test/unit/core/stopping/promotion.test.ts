import { describe, expect, test } from 'vitest';
import { nextAction } from '../../../../services/core/stopping/advance.ts';
import { notPromotedReason } from '../../../../services/core/stopping/steps/end.ts';
import type { SearchAction } from '../../../../services/core/stopping/action.ts';
import { pathOf } from '../../../../services/core/stopping/ladder.ts';
import type { RungStep } from '../../../../services/core/stopping/ladder.ts';
import { replay } from '../../../../services/core/stopping/replay.ts';
import type { SearchRun, SearchState } from '../../../../services/core/stopping/search-state.ts';
import { alike, entryOf, searchPolicy } from '../support/search-inputs.ts';
import type { BudgetSpec } from '../../../../services/core/sweep/search-spec.ts';
import type { Outcome, World } from '../support/search-simulation.ts';
import { simulate } from '../support/search-simulation.ts';

const byRun: World['scoreOf'] = (run) => run;

function search(count: number, world: Partial<World> = {}, headEpochs = 0): Outcome {
  const runs = alike(count, { headEpochs });
  return simulate({ policy: searchPolicy(runs, {}), runs, slots: 1, scoreOf: byRun, ...world });
}

function countDone({ runs }: Outcome): number {
  return runs.filter(({ status }) => status === 'DONE').length;
}

describe('promotion', () => {
  test.each([
    ['the best come last', byRun],
    ['the best come first', (run: number) => -run],
    ['mixed', (run: number) => (run * 5) % 9],
    ['equal', () => 0.5],
  ])('trains 9·3 + 4·6 + 2·18 epochs of 9 fine-tunes on one slot: %s', (_order, scoreOf) => {
    const { epochs, end, runs, stored, decisions } = search(9, { scoreOf });
    expect(epochs).toBe(9 * 3 + 4 * 6 + 2 * 18);
    expect(end?.cause).toBe('ALL_DECIDED');
    expect(runs.filter(({ status }) => status === 'DONE')).toHaveLength(2);
    expect(replay(stored, decisions)).toEqual([]);
  });

  test('fine-tunes the best heads only', () => {
    const outcome = search(24, {}, 5);
    const fineTuned = outcome.runs.filter(({ rung }) => rung !== 0).map(({ index }) => index);
    expect(fineTuned).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23]);
    // 9 of 24 heads, 4 of 9 at epoch 3, 2 of 4 at epoch 9.
    expect(outcome.epochs).toBe(24 * 5 + 9 * 3 + 4 * 6 + 2 * 18);
  });

  test('does not let the first run through', () => {
    const { runs, decisions } = search(24, { slots: 4 });
    expect(runs[0]).toMatchObject({ status: 'PAUSED', rung: 0 });
    const first = decisions.findIndex(({ kind }) => kind === 'PROMOTE');
    expect(decisions.slice(0, first).filter(({ kind }) => kind === 'PAUSE').length).toBeGreaterThanOrEqual(6);
  });

  test.each([1, 2, 3, 5])('takes a sweep of %i runs to the end', (count) => {
    const outcome = search(count);
    expect(countDone(outcome)).toBeGreaterThanOrEqual(1);
    expect(outcome.runs.at(-1)?.status).toBe('DONE');
  });

  test('counts a failed run as the worst, and an infeasible one not at all', () => {
    const faults = (fault: 'FAILED' | 'INFEASIBLE') =>
      search(12, { faultOf: (run, { rung }) => (run < 3 && rung === 0 ? fault : null) });
    const promotedFrom0 = (outcome: Outcome) =>
      outcome.decisions.filter(({ kind, rung }) => kind === 'PROMOTE' && rung === 0).length;
    expect(promotedFrom0(faults('FAILED'))).toBe(5);
    expect(promotedFrom0(faults('INFEASIBLE'))).toBe(4);
    expect(faults('INFEASIBLE').end?.reason).toBe('all runs are decided: 2 of 12 trained to their end');
  });

  test('gives the place of a run that was stopped where it waited to the next one, and the cut stays', () => {
    // Runs 5, 4 and 3 are the best of six; the cut is 3.
    const runs = Array.from({ length: 6 }, (_, index) => ({
      index,
      status: index > 2 ? ('STOPPED' as const) : ('PAUSED' as const),
      rung: 0,
    }));
    expect(nextAction(searchPolicy(alike(6), {}), stateOf(runs, 6))).toMatchObject({
      kind: 'PROMOTE',
      runIndex: 2,
      place: 4,
      cut: 3,
      reason:
        'promoted from rung 0 (fine-tuning, epoch 3) to epoch 9: place 4 of 6, within the cut of 3 without 3 better runs that ended there',
    });
  });

  test('gives no place of a run that failed after its promotion away', () => {
    const failed = Array.from({ length: 6 }, (_, index) => ({
      index,
      status: index > 2 ? ('FAILED' as const) : ('PAUSED' as const),
      rung: 0,
    }));
    expect(nextAction(searchPolicy(alike(6), {}), stateOf(failed, 6))?.kind).toBe('END');
  });

  test('trains the other run of a head whose first run was stopped', () => {
    const two = [
      { index: 0, status: 'STOPPED' as const, rung: 0 },
      { index: 1, status: 'PAUSED' as const, rung: 0 },
    ];
    const state = stateOf(two, 2);
    const equal = { ...state, rungs: state.rungs.map((entries) => entries.map((entry) => ({ ...entry, value: 0.5 }))) };
    expect(nextAction(searchPolicy(alike(2), {}), equal)).toMatchObject({ kind: 'PROMOTE', runIndex: 1 });
  });

  test('says place and cut of whom it promotes, and of whom it does not', () => {
    const { decisions, runs, stored } = search(9);
    expect(decisions.find(({ kind }) => kind === 'PROMOTE')).toMatchObject({
      runIndex: 8,
      rung: 0,
      place: 1,
      cut: 4,
      rule: 'promotion@2',
      reason: 'promoted from rung 0 (fine-tuning, epoch 3) to epoch 9: place 1 of 9, within the cut of 4',
    });
    const state = { ...stateOf([], 9), rungs: stored.rungs, runs };
    expect(notPromotedReason(stored.policy, state, runs[2]!)).toBe(
      'not promoted; place 7 of 9 at rung 0 (fine-tuning, epoch 3)',
    );
  });
});

describe('runs with equal values', () => {
  test('are ordered by lot, neither by the order of the grid nor by timing', () => {
    const synchronous = (seed: number, slots: number): number[] => {
      const runs = alike(9, { headEpochs: 5 });
      const policy = { ...searchPolicy(runs, { synchronous: true }), tieSeed: seed };
      const scoreOf = (run: number, { stage }: RungStep): number => (stage === 'HEAD' ? 0.5 : run);
      const { decisions } = simulate({ policy, runs, slots, scoreOf, epochSeconds: (run) => 1 + ((run * slots) % 4) });
      const fromHead = decisions.filter(({ kind, rung }) => kind === 'PROMOTE' && rung === 0);
      return fromHead.map(({ runIndex }) => runIndex!).sort((a, b) => a - b);
    };
    const seeds = Array.from({ length: 300 }, (_, seed) => synchronous(seed, 1));
    for (const [seed, runs] of seeds.slice(0, 20).entries()) expect(synchronous(seed, 5)).toEqual(runs);
    // 4 of 9 are promoted: each run in 133 of 300 sweeps, with a deviation of 8.6.
    for (let run = 0; run < 9; run++) {
      const count = seeds.filter((runs) => runs.includes(run)).length;
      expect(count).toBeGreaterThan(133 - 4 * 8.6);
      expect(count).toBeLessThan(133 + 4 * 8.6);
    }
  });
});

describe('idle slots', () => {
  test('promote beyond the cut while other work trains, at most half a cut more', () => {
    const idle = (world: Partial<World>) => {
      const { runs } = search(9, { slots: 4, epochSeconds: (run) => 1 + run, ...world });
      return runs.filter(({ idleFrom }) => idleFrom.length > 0).length;
    };
    expect(idle({})).toBeGreaterThan(0);
    expect(idle({})).toBeLessThanOrEqual(2);
    const runs = alike(9);
    expect(idle({ policy: searchPolicy(runs, { promoteIdle: false }) })).toBe(0);
    expect(idle({ policy: searchPolicy(runs, { synchronous: true }) })).toBe(0);
    expect(idle({ budget: { slotSeconds: 1e6, wallSeconds: null, target: null } })).toBe(0);
  });
});

test('a run of an idle slot that takes the place of another one has a place itself at the next rung', () => {
  // Of two heads one is promoted, and the other one for the idle slot; that one is then the better.
  const runs = alike(2, { headEpochs: 5 });
  const scoreOf = (run: number, { stage }: RungStep): number => (stage === 'HEAD' ? 1 - run : run);
  const outcome = simulate({ policy: searchPolicy(runs, {}), runs, slots: 2, scoreOf });
  expect(outcome.runs[1]).toMatchObject({ status: 'DONE', idleFrom: [0] });
});

describe('a synchronous sweep', () => {
  test('decides nothing while the task of a run that has reported its rung has not ended, so that the order does not matter', () => {
    const policy = searchPolicy(alike(6), { synchronous: true });
    const at = (last: 'PAUSING' | 'PAUSED') =>
      Array.from({ length: 6 }, (_, index) => ({ index, status: index === 5 ? last : ('PAUSED' as const), rung: 0 }));
    expect(nextAction(policy, stateOf(at('PAUSING'), 6))).toBeNull();
    expect(nextAction(policy, stateOf(at('PAUSED'), 6))).toMatchObject({ kind: 'PROMOTE', runIndex: 5, place: 1 });
  });

  test.each(['promotion', 'asha', 'median', 'percentile', 'paired'] as const)(
    '%s decides a rung when every run has come, whatever the order',
    (rule) => {
      const runs = alike(12);
      const policy = searchPolicy(runs, { rule, synchronous: true });
      const ended = [1, 2, 5, 12].map((slots) => {
        const epochSeconds = (run: number): number => 1 + ((run * 7 + slots) % 5);
        const scoreOf = (run: number): number => (run * 5) % 12;
        const outcome = simulate({ policy, runs, slots, scoreOf, epochSeconds });
        expect(replay(outcome.stored, outcome.decisions)).toEqual([]);
        return outcome.runs.map(({ status, rung }) => `${status} ${rung}`);
      });
      for (const other of ended) expect(other).toEqual(ended[0]);
      expect(ended[0]?.filter((status) => status.startsWith('DONE')).length).toBeGreaterThan(0);
    },
  );
});

describe('a budget of slot-seconds', () => {
  const bounded = (slotSeconds: number): BudgetSpec => ({ slotSeconds, wallSeconds: null, target: null });

  test('fine-tunes as many heads as it pays for, to the end', () => {
    // 24 heads take 120 seconds. The way of 9 fine-tunes is 9·3 + 4·6 + 2·18, of 5 it is 5·3 + 2·6 + 1·18, of one 27.
    for (const [more, promoted, spent] of [
      [1000, 9, 87],
      [87, 9, 87],
      [45, 5, 45],
      [27, 1, 27],
    ] as const) {
      const outcome = search(24, { budget: bounded(120 + more) }, 5);
      const fromHeads = outcome.decisions.filter(({ kind, rung }) => kind === 'PROMOTE' && rung === 0);
      expect(fromHeads).toHaveLength(promoted);
      expect(outcome.epochs).toBe(120 + spent);
      expect(countDone(outcome)).toBeGreaterThan(0);
    }
  });

  test('ends the search when the next promotion does not fit, and says so', () => {
    const { end, epochs } = search(9, { budget: bounded(40) });
    expect(end).toMatchObject({ cause: 'BUDGET' });
    expect(end?.reason).toMatch(/^the next promotion, run \d, needs \d+ slot-seconds and \d are left$/);
    expect(epochs).toBeLessThanOrEqual(40);
  });

  test('does not end a search whose last run has ended when it is reached', () => {
    const causeOf = (status: SearchRun['status'], rung: number): string | undefined => {
      const state = stateOf([{ index: 0, status, rung }], 1);
      const spending = { ...state.spending, budget: bounded(20), spentSeconds: 27 };
      const action = nextAction(searchPolicy(alike(1), {}), { ...state, spending });
      return action?.kind === 'END' ? action.cause : undefined;
    };
    expect(causeOf('DONE', 2)).toBe('ALL_DECIDED');
    expect(causeOf('PAUSED', 0)).toBe('BUDGET');
    expect(causeOf('TRAINING', 0)).toBe('BUDGET');
  });

  test('ends it at once when all is spent', () => {
    const { end, epochs, slotSeconds } = search(9, { budget: bounded(10) });
    expect(end?.cause).toBe('BUDGET');
    expect(epochs).toBe(9);
    expect(slotSeconds).toBeCloseTo(10, 3);
  });
});

describe('nextAction', () => {
  const run = (index: number, status: SearchRun['status'], rung: number | null) => ({ index, status, rung });

  test('waits while as many tasks are open as there are slots', () => {
    const runs = Array.from({ length: 8 }, (_, index) => run(index, 'PAUSED', 0));
    const policy = searchPolicy(alike(8), {});
    expect(nextAction(policy, { ...stateOf(runs, 8), openTasks: 2, slots: { count: 2, idle: 0 } })).toBeNull();
    const action = nextAction(policy, { ...stateOf(runs, 8), openTasks: 1, slots: { count: 2, idle: 0 } });
    expect(action).toMatchObject({ kind: 'PROMOTE', runIndex: 7, rung: 0 });
  });

  test('promotes nothing under 2η entries while another run can come', () => {
    const five = Array.from({ length: 5 }, (_, index) => run(index, 'PAUSED', 0));
    const kindOf = (last: SearchRun['status']): SearchAction['kind'] | undefined =>
      nextAction(searchPolicy(alike(6), {}), stateOf([...five, run(5, last, null)], 6))?.kind;
    expect(kindOf('TRAINING')).toBeUndefined();
    expect(kindOf('BELOW')).toBeUndefined();
    expect(kindOf('FAILED')).toBe('PROMOTE');
    expect(kindOf('STOPPED')).toBe('PROMOTE');
  });

  test('prefers higher rungs', () => {
    const runs = Array.from({ length: 12 }, (_, index) => run(index, 'PAUSED', index < 6 ? 0 : 1));
    expect(nextAction(searchPolicy(alike(12), {}), stateOf(runs, 12))).toMatchObject({ runIndex: 11, rung: 1 });
  });

  test('ends a sweep of any rule when no run is left', () => {
    for (const rule of ['none', 'asha', 'promotion'] as const) {
      const policy = searchPolicy(alike(2), { rule });
      const done = stateOf([run(0, 'DONE', 2), run(1, 'STOPPED', 0)], 2);
      expect(nextAction(policy, done)).toMatchObject({
        kind: 'END',
        cause: 'ALL_DECIDED',
        reason: 'all runs are decided: 1 of 2 trained to their end',
      });
      expect(nextAction(policy, { ...done, openTasks: 1 })).toBeNull();
    }
  });
});

/** A moment of a sweep on one slot with nothing open; the value of a run is its number. */
function stateOf(runs: readonly Pick<SearchRun, 'index' | 'status' | 'rung'>[], count: number): SearchState {
  const all = alike(count);
  const policy = searchPolicy(all, {});
  const spending = { budget: null, spentSeconds: 0, reservedSeconds: 0, wallSeconds: null, best: null };
  const entered = (rung: number) => runs.filter((run) => run.rung !== null && run.rung >= rung);
  return {
    rungs: policy.ladder.map(({ number }) =>
      entered(number).map(({ index }, position) =>
        entryOf(index, index, { arrival: position + 1, continues: number < 2 }),
      ),
    ),
    runs: runs.map((run) => ({ ...run, path: pathOf(policy.ladder, all[run.index]!), nextSeconds: 1, idleFrom: [] })),
    slots: { count: 1, idle: 1 },
    openTasks: 0,
    spending,
  };
}
