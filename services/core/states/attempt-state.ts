import { defineStateMachine, statesBefore } from './transition-table.ts';

/** RELEASED: handed back by the trainer. EXPIRED: taken back by the reaper. */
export type AttemptState = 'LEASED' | 'RUNNING' | 'SUCCEEDED' | 'RELEASED' | 'FAILED' | 'EXPIRED';

export const ATTEMPT_STATES = defineStateMachine<AttemptState>({
  LEASED: ['RUNNING', 'SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED'],
  RUNNING: ['SUCCEEDED', 'RELEASED', 'FAILED', 'EXPIRED'],
  SUCCEEDED: [],
  RELEASED: [],
  FAILED: [],
  EXPIRED: [],
});

/** States from which `to` may be entered, for compare-and-set statements. */
export function attemptStatesBefore(to: AttemptState): readonly AttemptState[] {
  return statesBefore(ATTEMPT_STATES, to);
}
