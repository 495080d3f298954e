import { defineStateMachine, statesBefore } from './transition-table.ts';

/** WAITING: for the tasks it depends on. CANCELLED: by a person, or because a task it depends on failed. */
export type TaskState = 'WAITING' | 'READY' | 'LEASED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export const TASK_STATES = defineStateMachine<TaskState>({
  WAITING: ['READY', 'CANCELLED'],
  // SUCCEEDED: another sweep has made the same feature sets meanwhile. WAITING: a file it reads was found damaged.
  READY: ['LEASED', 'WAITING', 'SUCCEEDED', 'CANCELLED'],
  // Back to READY: handed back, expired, or failed with another try left; to WAITING where a stored file it reads must be made
  // again before that try.
  LEASED: ['RUNNING', 'READY', 'WAITING', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  RUNNING: ['READY', 'WAITING', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
});

/** Not leased yet. */
export const PENDING_TASK_STATES = ['WAITING', 'READY'] as const satisfies readonly TaskState[];

/** Held by a slot. */
export const LEASED_TASK_STATES = ['LEASED', 'RUNNING'] as const satisfies readonly TaskState[];

/** Ended without a result. */
export const UNSUCCESSFUL_TASK_STATES = ['FAILED', 'CANCELLED'] as const satisfies readonly TaskState[];

/** States from which `to` may be entered, for compare-and-set statements. */
export function taskStatesBefore(to: TaskState): readonly TaskState[] {
  return statesBefore(TASK_STATES, to);
}
