import { defineStateMachine, statesBefore } from './transition-table.ts';

/**
 * States of a run. A run alternates between QUEUED and RUNNING, stage by stage; PAUSED keeps it out of the queue. STOPPING: its
 * trainer has the command to end it. The other states are final. STOPPED: a rule ended it. CANCELLED: a person did. INFEASIBLE: the
 * variant can't be trained at all. A person can retry a FAILED run, and continue a search whose end had STOPPED runs.
 */
export type RunState =
  'QUEUED' | 'RUNNING' | 'PAUSED' | 'STOPPING' | 'SUCCEEDED' | 'STOPPED' | 'CANCELLED' | 'FAILED' | 'INFEASIBLE';

export const RUN_STATES = defineStateMachine<RunState>({
  // To SUCCEEDED: it takes the result of another sweep.
  QUEUED: ['RUNNING', 'PAUSED', 'SUCCEEDED', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE'],
  // To QUEUED: between two stages, and when an attempt ended without a result.
  RUNNING: ['QUEUED', 'PAUSED', 'STOPPING', 'SUCCEEDED', 'FAILED', 'INFEASIBLE'],
  PAUSED: ['QUEUED', 'SUCCEEDED', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE'],
  // SUCCEEDED: the slot finished before the stop reached it. Never back to QUEUED: a stop is durable.
  STOPPING: ['STOPPED', 'CANCELLED', 'SUCCEEDED', 'FAILED', 'INFEASIBLE'],
  SUCCEEDED: [],
  STOPPED: [],
  CANCELLED: [],
  FAILED: [],
  INFEASIBLE: [],
});

/** Not ended, and no slot works on it. */
export const IDLE_RUN_STATES = ['QUEUED', 'PAUSED'] as const satisfies readonly RunState[];

/** A slot works on it. */
export const TRAINING_RUN_STATES = ['RUNNING', 'STOPPING'] as const satisfies readonly RunState[];

/** Ended with a result that may be the best one. */
export const USABLE_RUN_STATES = ['SUCCEEDED', 'STOPPED'] as const satisfies readonly RunState[];

/** Ended by what it did itself, neither by a rule nor by a person. */
export const CONCLUDED_RUN_STATES = ['SUCCEEDED', 'FAILED', 'INFEASIBLE'] as const satisfies readonly RunState[];

/** Ended before all of its epochs were trained. */
export const CUT_SHORT_RUN_STATES = [
  'STOPPED',
  'CANCELLED',
  'FAILED',
  'INFEASIBLE',
] as const satisfies readonly RunState[];

/** Ended, but a person can retry it: it is QUEUED again. */
export const RETRYABLE_RUN_STATES = ['FAILED'] as const satisfies readonly RunState[];

/** A trainer leaves it out of its group. */
export const LEFT_OUT_RUN_STATES = ['STOPPING', ...CUT_SHORT_RUN_STATES] as const satisfies readonly RunState[];

/** Returns the states from which `to` may be entered, for compare-and-set statements. */
export function runStatesBefore(to: RunState): readonly RunState[] {
  return statesBefore(RUN_STATES, to);
}

export function isTerminalRunState(state: RunState): boolean {
  return RUN_STATES.terminal.has(state);
}
