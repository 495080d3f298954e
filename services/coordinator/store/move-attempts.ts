import { attemptStatesBefore } from '../../core/states/attempt-state.ts';
import type { Batch } from '../../platform/db/batch.ts';
import { int4Array, textArray } from '../../platform/db/binary-array.ts';

/** Adds the statement that moves leased attempts to RUNNING by compare-and-set; the others are left alone. */
export function addAttemptStarts(
  batch: Batch,
  leases: readonly { readonly taskId: string; readonly leaseEpoch: number }[],
): void {
  batch.prepared(
    `UPDATE attempts a SET state = 'RUNNING'
       FROM unnest($1::text[], $2::int[]) AS l (task_id, lease_epoch)
      WHERE a.task_id = l.task_id AND a.lease_epoch = l.lease_epoch AND a.state = ANY($3)`,
    [
      textArray(leases.map(({ taskId }) => taskId)),
      int4Array(leases.map(({ leaseEpoch }) => leaseEpoch)),
      attemptStatesBefore('RUNNING'),
    ],
  );
}
