import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import { epochLimitSql, isHeadAwaited } from '../run-sql.ts';
import { isHolder, toFenced } from '../tasks/fence.ts';
import type { FencedTask, LeaseClaim, TaskRow } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { LEASED_TASKS, LEFT_OUT_RUNS } from '../state-sql.ts';

/** An attempt whose lease has been checked and whose task is locked until the end of the transaction. */
export interface FencedAttempt extends FencedTask {
  /** Number of the last accepted batch, including those of this transaction. */
  lastSequence: number;
  /** Epoch limits of the stage, by run of the task. */
  readonly epochLimits: ReadonlyMap<string, number>;
  readonly stoppedRunIds: readonly string[];
}

/** Returns a key of a lease and its holder, so that a false claim neither shares nor delays the batches of the holder. */
export function leaseKey({ taskId, leaseEpoch, trainerId, secretHash }: LeaseClaim): string {
  return `${taskId}/${leaseEpoch}/${trainerId}/${secretHash}`;
}

/**
 * Fences many leases at once, in the order of their tasks. A lost lease has no entry in the result; NOT_HELD is a lease of another
 * holder.
 */
export async function fenceAttempts(
  tx: StoreTransaction,
  leases: readonly LeaseClaim[],
): Promise<ReadonlyMap<string, FencedAttempt | 'NOT_HELD'>> {
  const unique = [...new Map(leases.map((lease) => [leaseKey(lease), lease])).values()];
  const { rows } = await tx.prepared<TaskRow & { readonly place: string; readonly is_held: boolean }>(
    `SELECT l.place::text AS place, t.sweep_id, t.stage, t.state, t.trainer_id,
            ${isHolder('l.trainer_id', 'l.secret_hash')} AS is_held
       FROM tasks t
       JOIN unnest($1::text[], $2::int[], $3::text[], $4::text[]) WITH ORDINALITY
            AS l (task_id, lease_epoch, trainer_id, secret_hash, place)
         ON l.task_id = t.task_id AND l.lease_epoch = t.lease_epoch
       JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = t.lease_epoch
      WHERE t.state IN ${LEASED_TASKS}
      ORDER BY t.task_id
        FOR NO KEY UPDATE OF t`,
    [
      textArray(unique.map(({ taskId }) => taskId)),
      int4Array(unique.map(({ leaseEpoch }) => leaseEpoch)),
      textArray(unique.map(({ trainerId }) => trainerId)),
      textArray(unique.map(({ secretHash }) => secretHash)),
    ],
  );
  const found = new Map<string, FencedAttempt | 'NOT_HELD'>();
  const held = new Map<string, FencedTask>();
  for (const row of rows) {
    const claim = unique[Number(row.place) - 1];
    if (claim === undefined) continue;
    if (row.is_held) held.set(leaseKey(claim), toFenced(claim, row));
    else found.set(leaseKey(claim), 'NOT_HELD');
  }
  const attempts = held.size === 0 ? new Map<string, FencedAttempt>() : await readAttempts(tx, [...held.values()]);
  for (const [key, { taskId }] of held) {
    const attempt = attempts.get(taskId);
    if (attempt) found.set(key, attempt);
  }
  return found;
}

/** Reads attempts by task. A separate statement, because it must see the writes of the transaction that held the locks before. */
export async function readAttempts(
  tx: StoreTransaction,
  tasks: readonly FencedTask[],
): Promise<ReadonlyMap<string, FencedAttempt>> {
  const { rows } = await tx.prepared<{
    task_id: string;
    last_sequence: string;
    run_ids: string[];
    epoch_limits: number[];
    stopped_run_ids: string[];
  }>(
    `SELECT a.task_id, a.last_sequence::text AS last_sequence,
            coalesce(array_agg(r.run_id ORDER BY r.run_id) FILTER (WHERE r.run_id IS NOT NULL), '{}') AS run_ids,
            coalesce(array_agg(${epochLimitSql('r', 't')} ORDER BY r.run_id) FILTER (WHERE r.run_id IS NOT NULL), '{}')
              AS epoch_limits,
            coalesce(array_agg(r.run_id ORDER BY r.run_id) FILTER (
              WHERE r.state IN ${LEFT_OUT_RUNS}
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
        epochLimits: new Map(row.run_ids.map((runId, index) => [runId, row.epoch_limits[index] ?? 0])),
        stoppedRunIds: row.stopped_run_ids,
      };
      return [task.taskId, attempt];
    }),
  );
}
