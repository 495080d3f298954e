import { defineStateMachine, statesBefore } from './transition-table.ts';

/** STOPPED: ended by a rule. CANCELLED: by a person. INFEASIBLE: can't be run at all. */
export type RunState =
  'QUEUED' | 'RUNNING' | 'PAUSED' | 'STOPPING' | 'SUCCEEDED' | 'STOPPED' | 'CANCELLED' | 'FAILED' | 'INFEASIBLE';

export const RUN_STATES = defineStateMachine<RunState>({
  QUEUED: ['RUNNING', 'PAUSED', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE'],
  // Back to QUEUED: between two stages, and when an attempt ended without a result.
  RUNNING: ['QUEUED', 'PAUSED', 'STOPPING', 'SUCCEEDED', 'FAILED', 'INFEASIBLE'],
  PAUSED: ['QUEUED', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE'],
  // SUCCEEDED: the slot was done before it heard of the stop. Never back to QUEUED: a stop is durable.
  STOPPING: ['STOPPED', 'CANCELLED', 'SUCCEEDED', 'FAILED', 'INFEASIBLE'],
  SUCCEEDED: [],
  STOPPED: [],
  CANCELLED: [],
  FAILED: [],
  INFEASIBLE: [],
});

/** States from which `to` may be entered, for compare-and-set statements. */
export function runStatesBefore(to: RunState): readonly RunState[] {
  return statesBefore(RUN_STATES, to);
}

export function isTerminalRunState(state: RunState): boolean {
  return RUN_STATES.terminal.has(state);
}
