import { defineStateMachine, statesBefore } from './transition-table.ts';

/** A sweep is ACTIVE from its creation on; CANCELLED is the only end a person chooses. */
export type SweepState = 'ACTIVE' | 'PAUSED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export const SWEEP_STATES = defineStateMachine<SweepState>({
  ACTIVE: ['PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  // An attempt that was about to end when the pause came may be the sweep's last one.
  PAUSED: ['ACTIVE', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
});

/** States from which `to` may be entered, for compare-and-set statements. */
export function sweepStatesBefore(to: SweepState): readonly SweepState[] {
  return statesBefore(SWEEP_STATES, to);
}

export function isTerminalSweepState(state: SweepState): boolean {
  return SWEEP_STATES.terminal.has(state);
}
