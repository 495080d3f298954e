import { InvalidRequestError, MetricConflictError, SequenceGapError } from '../../../core/errors.ts';
import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';
import type { Stage } from '../../../core/task.ts';
import { summarizeRuns } from '../runs/summarize-runs.ts';
import { fence } from '../tasks/fence.ts';
import type { FencedTask } from '../tasks/fence.ts';
import { markRunning } from '../tasks/mark-running.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { Store } from '../store.ts';

export interface EpochReport {
  readonly runId: string;
  readonly stage: Stage;
  /** From 1. */
  readonly epoch: number;
  readonly names: readonly string[];
  /** In the order of the names; NaN and infinities are kept. */
  readonly values: readonly number[];
}

export interface MetricBatch {
  readonly taskId: string;
  readonly leaseEpoch: number;
  /** From 1, without gaps, per attempt. */
  readonly sequence: number;
  readonly epochs: readonly EpochReport[];
}

/**
 * Stores one batch in one transaction: fence, sequence, metrics, run summaries, events. A batch that was stored before is
 * acknowledged without effect.
 *
 * @returns runs of the group that must stop.
 * @throws LeaseLostError, SequenceGapError, MetricConflictError (nothing of the batch is stored; the run is marked) and
 * InvalidRequestError.
 */
export async function ingestBatch(store: Store, batch: MetricBatch): Promise<string[]> {
  try {
    return await inTransaction(store, (tx) => ingest(tx, batch));
  } catch (error) {
    if (error instanceof MetricConflictError) await markConflict(store, error);
    throw error;
  }
}

async function ingest(tx: StoreTransaction, batch: MetricBatch): Promise<string[]> {
  const task = await fence(tx, batch.taskId, batch.leaseEpoch);
  const runs = await readRuns(tx, task.taskId);
  const stopped = runs.filter(({ stopped }) => stopped).map(({ runId }) => runId);
  const lastSequence = await readLastSequence(tx, task);
  if (batch.sequence <= lastSequence) return stopped;
  if (batch.sequence > lastSequence + 1) throw new SequenceGapError(lastSequence + 1, batch.sequence);
  checkBatch(batch, task, new Set(runs.map(({ runId }) => runId)));
  await markRunning(tx, task);
  await insertMetrics(tx, task, batch.epochs);
  await tx.query('UPDATE attempts SET last_sequence = $3 WHERE task_id = $1 AND lease_epoch = $2', [
    task.taskId,
    task.leaseEpoch,
    batch.sequence,
  ]);
  await summarizeRuns(tx, [...new Set(batch.epochs.map(({ runId }) => runId))].sort());
  for (const { runId, stage, epoch, names, values } of batch.epochs) {
    tx.emit(task.sweepId, { kind: 'EPOCH', runId, stage, epoch, names, values });
  }
  return stopped;
}

async function readRuns(
  tx: StoreTransaction,
  taskId: string,
): Promise<{ readonly runId: string; readonly stopped: boolean }[]> {
  const { rows } = await tx.query<{ run_id: string; stopped: boolean }>(
    `SELECT r.run_id, r.state IN ('STOPPING', 'STOPPED', 'CANCELLED', 'FAILED', 'INFEASIBLE') AS stopped
       FROM task_runs tr JOIN runs r ON r.run_id = tr.run_id WHERE tr.task_id = $1 ORDER BY r.run_id`,
    [taskId],
  );
  return rows.map((row) => ({ runId: row.run_id, stopped: row.stopped }));
}

async function readLastSequence(tx: StoreTransaction, task: FencedTask): Promise<number> {
  const { rows } = await tx.query<{ last_sequence: string | bigint | number }>(
    'SELECT last_sequence FROM attempts WHERE task_id = $1 AND lease_epoch = $2',
    [task.taskId, task.leaseEpoch],
  );
  return Number(rows[0]?.last_sequence ?? 0);
}

function checkBatch(batch: MetricBatch, task: FencedTask, runIds: ReadonlySet<string>): void {
  const violations: FieldViolation[] = [];
  for (const [index, report] of batch.epochs.entries()) {
    const field = `epochs[${index}]`;
    if (!runIds.has(report.runId)) {
      violations.push({ field: `${field}.run_id`, description: `'${report.runId}' is no run of task ${task.taskId}.` });
    }
    if (report.stage !== task.stage) {
      violations.push({ field: `${field}.stage`, description: `must be ${task.stage}; received ${report.stage}.` });
    }
    if (report.epoch < 1) {
      violations.push({ field: `${field}.epoch`, description: `counts from 1; received ${report.epoch}.` });
    }
    if (report.names.length !== report.values.length) {
      const description = `must be as many as names (${report.names.length}); received ${report.values.length}.`;
      violations.push({ field: `${field}.values`, description });
    }
  }
  if (violations.length > 0) throw new InvalidRequestError(violations);
}

interface MetricColumns {
  readonly runIds: string[];
  readonly epochs: number[];
  readonly names: string[];
  readonly values: number[];
}

function toColumns(reports: readonly EpochReport[]): MetricColumns {
  const columns: MetricColumns = { runIds: [], epochs: [], names: [], values: [] };
  for (const report of reports) {
    for (const [index, name] of report.names.entries()) {
      columns.runIds.push(report.runId);
      columns.epochs.push(report.epoch);
      columns.names.push(name);
      columns.values.push(report.values[index] ?? Number.NaN);
    }
  }
  return columns;
}

const BATCH = 'unnest($3::text[], $4::int[], $5::text[], $6::float8[]) AS b (run_id, epoch, name, value)';

/**
 * `unnest` of columns: one statement of constant text whatever the size, about 20 times the rate of one INSERT per row.
 * Rows of an earlier attempt with the same keys stop counting first, whatever epoch the trainer resumed from: an epoch
 * counts once (unique index epoch_metrics_surviving_key).
 */
async function insertMetrics(tx: StoreTransaction, task: FencedTask, reports: readonly EpochReport[]): Promise<void> {
  const { runIds, epochs, names, values } = toColumns(reports);
  if (runIds.length === 0) return;
  const shared = [task.stage, task.leaseEpoch, runIds, epochs, names, values];
  if (task.leaseEpoch > 1) {
    await tx.query(
      `UPDATE epoch_metrics m SET superseded_by = $2
         FROM ${BATCH}
        WHERE m.run_id = b.run_id AND m.stage = $1 AND m.epoch = b.epoch AND m.name = b.name
          AND m.lease_epoch < $2 AND m.superseded_by IS NULL`,
      shared,
    );
  }
  const { rowCount } = await tx.query(
    `INSERT INTO epoch_metrics (run_id, stage, epoch, name, lease_epoch, task_id, value)
     SELECT b.run_id, $1, b.epoch, b.name, $2, $7, b.value
       FROM ${BATCH} ORDER BY b.run_id, b.epoch, b.name
     ON CONFLICT DO NOTHING`,
    [...shared, task.taskId],
  );
  if (rowCount !== runIds.length) await checkConflicts(tx, shared);
}

async function checkConflicts(tx: StoreTransaction, shared: readonly unknown[]): Promise<void> {
  const { rows } = await tx.query<{ run_id: string; name: string; epoch: number; stored: number; received: number }>(
    `SELECT b.run_id, b.name, b.epoch, m.value AS stored, b.value AS received
       FROM ${BATCH}
       JOIN epoch_metrics m
         ON m.run_id = b.run_id AND m.stage = $1 AND m.epoch = b.epoch AND m.name = b.name AND m.lease_epoch = $2
      WHERE m.value IS DISTINCT FROM b.value
      LIMIT 1`,
    shared,
  );
  const row = rows[0];
  if (row) throw new MetricConflictError(row.run_id, row.name, row.epoch, row.stored, row.received);
}

/** A statement of its own, because the batch's transaction has been rolled back. */
async function markConflict(store: Store, error: MetricConflictError): Promise<void> {
  await store.pool.query('UPDATE runs SET state_reason = $2 WHERE run_id = $1', [error.runId, error.message]);
}
