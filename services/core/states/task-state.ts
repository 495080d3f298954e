import { defineStateMachine, statesBefore } from './transition-table.ts';

/**
 * States of a task. WAITING: for the tasks that it depends on. READY: it may be leased. LEASED and RUNNING: a slot holds it. The
 * others are final. CANCELLED: by a person, or because a task that it depends on failed.
 */
export type TaskState = 'WAITING' | 'READY' | 'LEASED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export const TASK_STATES = defineStateMachine<TaskState>({
  WAITING: ['READY', 'CANCELLED'],
  // SUCCEEDED: another sweep has computed the same feature sets. WAITING: a file that it reads is damaged.
  READY: ['LEASED', 'WAITING', 'SUCCEEDED', 'CANCELLED'],
  // To READY: released, expired, or failed with a retry left. To WAITING: a stored file that it reads must be rebuilt before the
  // retry.
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

/** Returns the states from which `to` may be entered, for compare-and-set statements. */
export function taskStatesBefore(to: TaskState): readonly TaskState[] {
  return statesBefore(TASK_STATES, to);
}
