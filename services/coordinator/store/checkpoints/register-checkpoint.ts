import { InvalidRequestError } from '../../../core/errors.ts';
import type { Objective } from '../../../core/objective.ts';
import { checkCheckpoint } from '../../../core/reports/check-checkpoint.ts';
import type { CheckpointRef } from '../../../core/task.ts';
import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';
import { epochLimitSql } from '../run-sql.ts';
import { fence, markRunning } from '../tasks/fence.ts';
import type { FencedTask, LeaseClaim } from '../tasks/fence.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';
import { CHECKPOINT_COLUMNS, toCheckpoint } from './checkpoint-row.ts';
import type { CheckpointRow } from './checkpoint-row.ts';
import { markSuperfluous } from './mark-superfluous.ts';

/**
 * Registers a checkpoint whose file is in the store already (the caller has checked). Idempotent by URI. Marks the checkpoints that it
 * makes superfluous for removal.
 *
 * @throws LeaseLostError, LeaseNotHeldError, InvalidRequestError
 */
export async function registerCheckpoint(
  store: Store,
  claim: LeaseClaim,
  checkpointId: string,
  checkpoint: CheckpointRef,
): Promise<CheckpointRecord> {
  return inTransaction(
    store,
    async (tx) => {
      const task = await fence(tx, claim);
      await requirePlausible(tx, task, checkpoint);
      const known = await findByUri(tx, checkpoint.uri);
      if (known) return sameOrThrow(known, checkpoint);
      await markRunning(tx, task);
      const stored = await insertCheckpoint(tx, task, checkpointId, checkpoint);
      await markSuperfluous(tx, checkpoint.runId, checkpoint.stage);
      // A new checkpoint is progress, so the task is not in a crash loop.
      await tx.query('UPDATE tasks SET infrastructure_count = 0 WHERE task_id = $1 AND infrastructure_count > 0', [
        task.taskId,
      ]);
      return stored;
    },
    'checkpoint',
  );
}

/** Checks a checkpoint against its task, its run and the reported metrics. @throws InvalidRequestError */
async function requirePlausible(tx: StoreTransaction, task: FencedTask, checkpoint: CheckpointRef): Promise<void> {
  const { rows } = await tx.query<{
    metric: Objective['metric'];
    epoch_limit: number | null;
    reported_value: number | null;
  }>(
    `SELECT s.objective_metric AS metric, m.value AS reported_value,
            CASE WHEN r.run_id IS NOT NULL THEN ${epochLimitSql('r', 't')} END AS epoch_limit
       FROM tasks t
       JOIN sweeps s ON s.sweep_id = t.sweep_id
       LEFT JOIN task_runs tr ON tr.task_id = t.task_id AND tr.run_id = $2
       LEFT JOIN runs r ON r.run_id = tr.run_id
       LEFT JOIN epoch_metrics m
         ON m.run_id = r.run_id AND m.stage = t.stage AND m.epoch = $3 AND m.name = s.objective_metric AND m.superseded_by IS NULL
      WHERE t.task_id = $1`,
    [task.taskId, checkpoint.runId, checkpoint.epoch],
  );
  const row = rows[0];
  if (row === undefined) throw new Error(`Task ${task.taskId} vanished while it was locked.`);
  const { metric, epoch_limit: epochLimit, reported_value: reportedValue } = row;
  const violations = checkCheckpoint(checkpoint, { ...task, epochLimit, metric, reportedValue });
  if (violations.length > 0) throw new InvalidRequestError(violations);
}

async function findByUri(tx: StoreTransaction, uri: string): Promise<CheckpointRecord | null> {
  const { rows } = await tx.query<CheckpointRow>(`SELECT ${CHECKPOINT_COLUMNS} FROM checkpoints c WHERE c.uri = $1`, [
    uri,
  ]);
  return rows[0] ? toCheckpoint(rows[0]) : null;
}

function sameOrThrow(known: CheckpointRecord, received: CheckpointRef): CheckpointRecord {
  const isSame =
    known.runId === received.runId &&
    known.stage === received.stage &&
    known.epoch === received.epoch &&
    known.kind === received.kind &&
    known.sha256 === received.sha256;
  if (isSame) return known;
  const description =
    `'${received.uri}' is registered already as ${known.kind} of ${known.runId}, ${known.stage}, epoch ${known.epoch}, ` +
    `sha256 ${known.sha256}; a file with another content needs another uri.`;
  throw new InvalidRequestError([{ field: 'checkpoint.uri', description }]);
}

async function insertCheckpoint(
  tx: StoreTransaction,
  task: FencedTask,
  checkpointId: string,
  checkpoint: CheckpointRef,
): Promise<CheckpointRecord> {
  const { rows } = await tx.query<CheckpointRow>(
    `INSERT INTO checkpoints AS c
       (checkpoint_id, run_id, task_id, lease_epoch, stage, epoch, kind, uri, sha256, size_bytes, value, create_time)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp())
     RETURNING ${CHECKPOINT_COLUMNS}`,
    [
      checkpointId,
      checkpoint.runId,
      task.taskId,
      task.leaseEpoch,
      checkpoint.stage,
      checkpoint.epoch,
      checkpoint.kind,
      checkpoint.uri,
      checkpoint.sha256,
      checkpoint.sizeBytes,
      checkpoint.value,
    ],
  );
  if (!rows[0]) throw new Error(`Checkpoint ${checkpoint.uri} was not inserted.`);
  return toCheckpoint(rows[0]);
}
