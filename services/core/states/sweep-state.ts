import { defineStateMachine, statesBefore } from './transition-table.ts';

/** States of a sweep. It is ACTIVE from its creation; PAUSED leases no tasks. The others are final; only CANCELLED is a person's choice. */
export type SweepState = 'ACTIVE' | 'PAUSED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export const SWEEP_STATES = defineStateMachine<SweepState>({
  ACTIVE: ['PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  // An attempt that was about to end when the pause came may be the sweep's last one.
  PAUSED: ['ACTIVE', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
});

/** Returns the states from which `to` may be entered, for compare-and-set statements. */
export function sweepStatesBefore(to: SweepState): readonly SweepState[] {
  return statesBefore(SWEEP_STATES, to);
}

export function isTerminalSweepState(state: SweepState): boolean {
  return SWEEP_STATES.terminal.has(state);
}
