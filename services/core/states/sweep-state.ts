import { defineStateMachine, statesBefore } from './transition-table.ts';

/**
 * States of a sweep. It is ACTIVE from its creation; PAUSED leases no tasks. The others are final, unless a
 * person reopens the sweep; only CANCELLED is a person's choice.
 */
export type SweepState = 'ACTIVE' | 'PAUSED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export const SWEEP_STATES = defineStateMachine<SweepState>({
  ACTIVE: ['PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  // An attempt that was about to end when the pause came may be the sweep's last one.
  PAUSED: ['ACTIVE', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
});

/** Ended, but a person can reopen it with more work: it is ACTIVE again. What a person has cancelled stays cancelled. */
export const REOPENABLE_SWEEP_STATES = ['SUCCEEDED', 'FAILED'] as const satisfies readonly SweepState[];

/** Returns the states from which `to` may be entered, for compare-and-set statements. */
export function sweepStatesBefore(to: SweepState): readonly SweepState[] {
  return statesBefore(SWEEP_STATES, to);
}

export function isTerminalSweepState(state: SweepState): boolean {
  return SWEEP_STATES.terminal.has(state);
}
