import { defineStateMachine, statesBefore } from './transition-table.ts';

/**
 * States of an attempt. LEASED: a slot holds the lease; the trainer has reported nothing yet. RUNNING: it has. The other states are
 * final. RELEASED: the trainer handed the task back. EXPIRED: the reaper took the lease back.
 */
export type AttemptState = 'LEASED' | 'RUNNING' | 'SUCCEEDED' | 'RELEASED' | 'FAILED' | 'EXPIRED';

export const ATTEMPT_STATES = defineStateMachine<AttemptState>({
  LEASED: ['RUNNING', 'SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED'],
  RUNNING: ['SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED'],
  SUCCEEDED: [],
  RELEASED: [],
  FAILED: [],
  EXPIRED: [],
});

/** Returns the states from which `to` may be entered, for compare-and-set statements. */
export function attemptStatesBefore(to: AttemptState): readonly AttemptState[] {
  return statesBefore(ATTEMPT_STATES, to);
}
