import type { Stage } from '../../../core/task.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import { isHeadAwaited } from '../runs/shared-head.ts';
import type { FencedTask } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';

/** An attempt whose lease has been checked and whose task is locked until the end of the transaction. */
export interface FencedAttempt extends FencedTask {
  /** Number of the last batch that counts, those accepted in this transaction included. */
  lastSequence: number;
  readonly runIds: ReadonlySet<string>;
  readonly stoppedRunIds: readonly string[];
}

export interface Lease {
  readonly taskId: string;
  readonly leaseEpoch: number;
}

export function leaseKey({ taskId, leaseEpoch }: Lease): string {
  return `${taskId}/${leaseEpoch}`;
}

/** `fence` for many leases at once, in the order of their tasks; a lease that is lost has no entry in the answer. */
export async function fenceAttempts(
  tx: StoreTransaction,
  leases: readonly Lease[],
): Promise<ReadonlyMap<string, FencedAttempt>> {
  const unique = [...new Map(leases.map((lease) => [leaseKey(lease), lease])).values()];
  const { rows } = await tx.prepared<{
    task_id: string;
    lease_epoch: number;
    sweep_id: string;
    stage: Stage;
    state: 'LEASED' | 'RUNNING';
    trainer_id: string;
  }>(
    `SELECT t.task_id, t.lease_epoch, t.sweep_id, t.stage, t.state, t.trainer_id
       FROM tasks t
       JOIN unnest($1::text[], $2::int[]) AS l (task_id, lease_epoch)
         ON l.task_id = t.task_id AND l.lease_epoch = t.lease_epoch
      WHERE t.state IN ('LEASED', 'RUNNING')
      ORDER BY t.task_id
        FOR NO KEY UPDATE OF t`,
    [textArray(unique.map(({ taskId }) => taskId)), int4Array(unique.map(({ leaseEpoch }) => leaseEpoch))],
  );
  const tasks = rows.map((row) => ({
    taskId: row.task_id,
    leaseEpoch: row.lease_epoch,
    sweepId: row.sweep_id,
    stage: row.stage,
    state: row.state,
    trainerId: row.trainer_id,
  }));
  return tasks.length === 0 ? new Map() : readAttempts(tx, tasks);
}

/** A statement of its own: it must see what the transaction that held the locks before has written. */
async function readAttempts(
  tx: StoreTransaction,
  tasks: readonly FencedTask[],
): Promise<ReadonlyMap<string, FencedAttempt>> {
  const { rows } = await tx.prepared<{
    task_id: string;
    last_sequence: string;
    run_ids: string[];
    stopped_run_ids: string[];
  }>(
    `SELECT a.task_id, a.last_sequence::text AS last_sequence,
            coalesce(array_agg(r.run_id) FILTER (WHERE r.run_id IS NOT NULL), '{}') AS run_ids,
            coalesce(array_agg(r.run_id ORDER BY r.run_id) FILTER (
              WHERE r.state IN ('STOPPING', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE')
                AND NOT ${isHeadAwaited('r', 't')}), '{}') AS stopped_run_ids
       FROM unnest($1::text[], $2::int[]) AS l (task_id, lease_epoch)
       JOIN attempts a ON a.task_id = l.task_id AND a.lease_epoch = l.lease_epoch
       JOIN tasks t ON t.task_id = a.task_id
       LEFT JOIN task_runs tr ON tr.task_id = a.task_id
       LEFT JOIN runs r ON r.run_id = tr.run_id
      GROUP BY a.task_id, a.lease_epoch`,
    [textArray(tasks.map(({ taskId }) => taskId)), int4Array(tasks.map(({ leaseEpoch }) => leaseEpoch))],
  );
  const byTask = new Map(rows.map((row) => [row.task_id, row]));
  return new Map(
    tasks.map((task) => {
      const row = byTask.get(task.taskId);
      if (row === undefined) throw new Error(`Lease ${task.leaseEpoch} of task ${task.taskId} has no attempt.`);
      const attempt: FencedAttempt = {
        ...task,
        lastSequence: Number(row.last_sequence),
        runIds: new Set(row.run_ids),
        stoppedRunIds: row.stopped_run_ids,
      };
      return [leaseKey(task), attempt];
    }),
  );
}
