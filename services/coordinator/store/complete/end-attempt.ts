import { attemptStatesBefore } from '../../../core/states/attempt-state.ts';
import type { AttemptState } from '../../../core/states/attempt-state.ts';
import type { TaskState } from '../../../core/states/task-state.ts';
import { TASK_STATES } from '../../../core/states/task-state.ts';
import type { TaskError } from '../../../core/task.ts';
import type { Batch } from '../../../platform/db/batch.ts';
import type { TaskEventState } from '../../../core/records/event.ts';
import type { TaskScope } from '../tasks/fence.ts';

export interface AttemptEnd {
  readonly attempt: Exclude<AttemptState, 'LEASED' | 'RUNNING'>;
  readonly task: TaskState;
  readonly event: TaskEventState;
  readonly message: string;
  readonly error: TaskError | null;
  /** Milliseconds until a task that returns to READY may be leased. */
  readonly delayMs?: number;
  /** Measured peak; absent when unknown. */
  readonly peakMemoryBytes?: number;
}

/** Ends the current attempt of a fenced task and moves the task; the slot is free. */
export async function endAttempt(scope: TaskScope, end: AttemptEnd): Promise<void> {
  const batch = scope.tx.batch();
  addAttemptEnd(scope, batch, end);
  await batch.send();
}

/** Adds the statements of `endAttempt` to a batch. The event is emitted when the batch has been sent. */
export function addAttemptEnd({ tx, task }: TaskScope, batch: Batch, end: AttemptEnd): void {
  batch.prepared(
    `UPDATE tasks
        SET state = $2, lease_expire_time = NULL, trainer_id = NULL, slot_index = NULL, lease_request_id = NULL,
            command = NULL, command_reason = '', not_before_time = now() + $3 * interval '1 millisecond',
            end_time = CASE WHEN $4 THEN now() END, peak_memory_bytes = coalesce($5, peak_memory_bytes)
      WHERE task_id = $1`,
    [task.taskId, end.task, end.delayMs ?? 0, TASK_STATES.terminal.has(end.task), end.peakMemoryBytes ?? null],
  );
  const { taskId, leaseEpoch, stage, trainerId } = task;
  const before = attemptStatesBefore(end.attempt);
  batch.prepared<{ task_id: string }>(
    `UPDATE attempts SET state = $3, error_class = $4, error_code = $5, message = $6, end_time = now()
      WHERE task_id = $1 AND lease_epoch = $2 AND state = ANY($7) RETURNING task_id`,
    [taskId, leaseEpoch, end.attempt, end.error?.errorClass ?? null, end.error?.code ?? null, end.message, before],
    (rows) => {
      if (rows.length !== 1) throw new Error(`Attempt ${leaseEpoch} of ${taskId} may not become ${end.attempt}.`);
      tx.emit(task.sweepId, { kind: 'TASK', taskId, stage, state: end.event, trainerId, message: end.message });
    },
  );
}
