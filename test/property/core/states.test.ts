import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTEMPT_STATES, attemptStatesBefore } from '../../../services/core/states/attempt-state.ts';
import { isTerminalRunState, RUN_STATES, runStatesBefore } from '../../../services/core/states/run-state.ts';
import { SWEEP_STATES, sweepStatesBefore } from '../../../services/core/states/sweep-state.ts';
import { TASK_STATES, taskStatesBefore } from '../../../services/core/states/task-state.ts';
import type { StateMachine } from '../../../services/core/states/transition-table.ts';
import { statesBefore } from '../../../services/core/states/transition-table.ts';

const MACHINES: readonly [string, StateMachine<string>, string, readonly string[]][] = [
  ['sweep', SWEEP_STATES, 'ACTIVE', ['SUCCEEDED', 'FAILED', 'CANCELLED']],
  ['run', RUN_STATES, 'QUEUED', ['SUCCEEDED', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE']],
  ['task', TASK_STATES, 'WAITING', ['SUCCEEDED', 'FAILED', 'CANCELLED']],
  ['attempt', ATTEMPT_STATES, 'LEASED', ['SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED']],
];

describe.each(MACHINES)('%s', (_, machine, first, terminal) => {
  test('has the expected terminal states', () => {
    expect([...machine.terminal].sort()).toEqual([...terminal].sort());
    expect(machine.terminal.size + machine.live.size).toBe(machine.states.length);
  });

  test('never leaves a terminal state or stays in a state by allowed transitions', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...machine.states), { maxLength: 40 }), (wishes) => {
        let state = first;
        let ended: string | null = null;
        for (const wish of wishes) {
          // As in SQL: the transition happens if the present state is among the allowed ones.
          if (statesBefore(machine, wish).includes(state)) {
            expect(wish).not.toBe(state);
            state = wish;
          }
          if (ended !== null) expect(state).toBe(ended);
          if (machine.terminal.has(state)) ended = state;
        }
      }),
    );
  });

  test('reaches every state, and a terminal state from every live one', () => {
    const reach = (from: string): Set<string> => {
      const seen = new Set([from]);
      for (const state of seen) for (const next of machine.table[state] ?? []) seen.add(next);
      return seen;
    };
    expect([...reach(first)].sort()).toEqual([...machine.states].sort());
    for (const state of machine.live) expect([...reach(state)].some((next) => machine.terminal.has(next))).toBe(true);
  });
});

test('derives the named functions from the machines', () => {
  expect(sweepStatesBefore('PAUSED')).toEqual(['ACTIVE']);
  expect(runStatesBefore('STOPPING')).toEqual(['RUNNING']);
  expect(taskStatesBefore('READY')).toEqual(['WAITING', 'LEASED', 'RUNNING']);
  expect(attemptStatesBefore('EXPIRED')).toEqual(['LEASED', 'RUNNING']);
  expect([isTerminalRunState('STOPPING'), isTerminalRunState('STOPPED')]).toEqual([false, true]);
});

test('never queues or runs a stopping run again', () => {
  expect(RUN_STATES.table.STOPPING.filter((state) => RUN_STATES.live.has(state))).toEqual([]);
});
