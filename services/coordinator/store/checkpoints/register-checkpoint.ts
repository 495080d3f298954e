import { InvalidRequestError } from '../../../core/errors.ts';
import type { CheckpointRef } from '../../../core/task.ts';
import type { CheckpointRecord } from '../records.ts';
import { fence } from '../tasks/fence.ts';
import type { FencedTask } from '../tasks/fence.ts';
import { markRunning } from '../tasks/mark-running.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';
import { CHECKPOINT_COLUMNS, toCheckpoint } from './checkpoint-row.ts';
import type { CheckpointRow } from './checkpoint-row.ts';
import { markSuperfluous } from './mark-superfluous.ts';

/**
 * Makes a checkpoint exist. The file must be in the store already (the caller has looked). Idempotent by uri; marks what
 * it makes superfluous for removal.
 *
 * @throws LeaseLostError, InvalidRequestError
 */
export async function registerCheckpoint(
  store: Store,
  taskId: string,
  leaseEpoch: number,
  checkpointId: string,
  checkpoint: CheckpointRef,
): Promise<CheckpointRecord> {
  return inTransaction(
    store,
    async (tx) => {
      const task = await fence(tx, taskId, leaseEpoch);
      await checkBelongs(tx, task, checkpoint);
      const known = await findByUri(tx, checkpoint.uri);
      if (known) return sameOrThrow(known, checkpoint);
      await markRunning(tx, task);
      const stored = await insertCheckpoint(tx, task, checkpointId, checkpoint);
      await markSuperfluous(tx, checkpoint.runId, checkpoint.stage);
      // A new checkpoint is progress: the task is not in a crash loop.
      await tx.query('UPDATE tasks SET infrastructure_count = 0 WHERE task_id = $1 AND infrastructure_count > 0', [
        taskId,
      ]);
      return stored;
    },
    'checkpoint',
  );
}

async function checkBelongs(tx: StoreTransaction, task: FencedTask, checkpoint: CheckpointRef): Promise<void> {
  if (checkpoint.stage !== task.stage) {
    const description = `must be the task's stage ${task.stage}; received ${checkpoint.stage}.`;
    throw new InvalidRequestError([{ field: 'checkpoint.stage', description }]);
  }
  const { rowCount } = await tx.query('SELECT 1 FROM task_runs WHERE task_id = $1 AND run_id = $2', [
    task.taskId,
    checkpoint.runId,
  ]);
  if (rowCount !== 1) {
    const description = `'${checkpoint.runId}' is no run of task ${task.taskId}.`;
    throw new InvalidRequestError([{ field: 'checkpoint.run_id', description }]);
  }
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
