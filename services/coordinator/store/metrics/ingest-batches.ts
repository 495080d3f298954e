import {
  DatabaseUnavailableError,
  InvalidRequestError,
  LeaseLostError,
  MetricConflictError,
  SequenceGapError,
} from '../../../core/errors.ts';
import { checkMetrics } from '../../../core/reports/check-metrics.ts';
import { checkRungs } from '../../../core/reports/check-rungs.ts';
import { LeaseNotHeldError } from '../../../core/trainer-errors.ts';
import type { Batch } from '../../../platform/db/batch.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { addAttemptStarts } from '../move-attempts.ts';
import type { StoreTransaction } from '../transaction.ts';
import { enterReports } from './enter-reports.ts';
import type { AcceptedBatch } from './enter-reports.ts';
import { fenceAttempts, leaseKey, readAttempts } from './fence-attempts.ts';
import type { FencedAttempt } from './fence-attempts.ts';
import { insertMetrics } from './insert-metrics.ts';
import type { InsertMode } from './insert-metrics.ts';
import type { MetricBatch } from './metric-batch.ts';
import { updateSummaries } from './update-summaries.ts';
import { readValidationCounts } from './validation-counts.ts';

/** The outcome of one batch. */
export type BatchOutcome =
  /** The batch is durable, now or before; with the runs of the group that must stop. */
  | { readonly kind: 'STORED'; readonly stoppedRunIds: readonly string[] }
  /**
   * Nothing of the batch is stored: LeaseLostError, LeaseNotHeldError, SequenceGapError, InvalidRequestError, MetricConflictError (the
   * run is marked), or the database's error.
   */
  | { readonly kind: 'REFUSED'; readonly error: unknown };

/**
 * Stores batches of many attempts in one transaction: fence, sequence, metrics, run summaries, events. A batch that was stored
 * before is acknowledged without effect. If the transaction fails, the batches are stored one by one, so that a bad batch does not
 * fail the others.
 *
 * @param batches those of one attempt in the order of their arrival.
 * @returns one outcome per batch, once what is STORED has been committed.
 * @throws DatabaseUnavailableError
 */
export async function ingestBatches(store: Store, batches: readonly MetricBatch[]): Promise<BatchOutcome[]> {
  if (batches.length > 1) {
    try {
      return await inTransaction(store, (tx) => ingest(tx, batches, 'EXPECT_NEW'), 'metrics');
    } catch (error) {
      if (error instanceof DatabaseUnavailableError) throw error;
      store.log.debug({ err: error, batches: batches.length }, 'metric batches are stored one by one');
    }
  }
  const outcomes: BatchOutcome[] = [];
  for (const batch of batches) outcomes.push(await ingestAlone(store, batch));
  return outcomes;
}

async function ingestAlone(store: Store, batch: MetricBatch): Promise<BatchOutcome> {
  try {
    const [outcome] = await inTransaction(store, (tx) => ingest(tx, [batch], 'COMPARE'), 'metrics');
    if (outcome === undefined) throw new Error('A batch has no outcome.');
    return outcome;
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) throw error;
    if (error instanceof MetricConflictError) await markConflict(store, error);
    return { kind: 'REFUSED', error };
  }
}

async function ingest(
  tx: StoreTransaction,
  batches: readonly MetricBatch[],
  mode: InsertMode,
): Promise<BatchOutcome[]> {
  const attempts = await fenceAttempts(tx, batches);
  const imageCounts = await readValidationCounts(tx, sweepsWithRungs(batches, attempts));
  const accepted: AcceptedBatch[] = [];
  const outcomes = batches.map((batch): BatchOutcome => {
    const attempt = attempts.get(leaseKey(batch));
    if (attempt === undefined) return refused(new LeaseLostError(batch.taskId, batch.leaseEpoch));
    if (attempt === 'NOT_HELD') return refused(new LeaseNotHeldError(batch.taskId, batch.leaseEpoch));
    const verdict = accept(attempt, batch, imageCounts.get(attempt.sweepId) ?? 0);
    if (verdict instanceof Error) return refused(verdict);
    if (verdict === 'NEW') accepted.push({ attempt, batch });
    return { kind: 'STORED', stoppedRunIds: attempt.stoppedRunIds };
  });
  if (accepted.length === 0) return outcomes;
  const changed = [...new Set(accepted.map(({ attempt }) => attempt))];
  const reports = accepted.flatMap(({ attempt, batch }) => batch.epochs.map((report) => ({ task: attempt, report })));
  const statements = tx.batch();
  addRunning(statements, changed);
  addSequences(statements, changed);
  const superseded = await insertMetrics(tx, statements, reports, mode);
  await updateSummaries(
    tx,
    reports.map(({ report }) => report),
    superseded,
    accepted.flatMap(({ batch }) => batch.rungs.map(({ runId }) => runId)),
  );
  const isStopped = await enterReports(tx, accepted, imageCounts);
  for (const { task, report } of reports) {
    const { runId, stage, epoch } = report;
    tx.emit(task.sweepId, { kind: 'EPOCH', ...report });
    tx.mirror(task.sweepId, { kind: 'METRICS', runId, stage, leaseEpoch: task.leaseEpoch, epochs: [epoch] });
  }
  return isStopped ? withStopped(tx, batches, attempts, outcomes) : outcomes;
}

/** Returns the outcomes with the runs that this transaction has stopped. */
async function withStopped(
  tx: StoreTransaction,
  batches: readonly MetricBatch[],
  attempts: ReadonlyMap<string, FencedAttempt | 'NOT_HELD'>,
  outcomes: readonly BatchOutcome[],
): Promise<BatchOutcome[]> {
  const held = [...attempts.values()].filter((attempt) => attempt !== 'NOT_HELD');
  const now = await readAttempts(tx, held);
  return outcomes.map((outcome, index) => {
    const attempt = now.get(batches[index]?.taskId ?? '');
    if (outcome.kind !== 'STORED' || attempt === undefined) return outcome;
    return { kind: 'STORED', stoppedRunIds: attempt.stoppedRunIds };
  });
}

/** Returns the sweeps whose batches have results by image, most often none. */
function sweepsWithRungs(
  batches: readonly MetricBatch[],
  attempts: ReadonlyMap<string, FencedAttempt | 'NOT_HELD'>,
): readonly string[] {
  const sweepIds = new Set<string>();
  for (const batch of batches) {
    if (batch.rungs.length === 0) continue;
    const attempt = attempts.get(leaseKey(batch));
    if (attempt !== undefined && attempt !== 'NOT_HELD') sweepIds.add(attempt.sweepId);
  }
  return [...sweepIds];
}

function refused(error: Error): BatchOutcome {
  return { kind: 'REFUSED', error };
}

/**
 * Checks a batch.
 *
 * @param imageCount validation images of the data set; 0 if the batch has no results by image
 * @returns REPEATED: stored before; NEW: to be stored, and now the last one of its attempt
 */
function accept(attempt: FencedAttempt, batch: MetricBatch, imageCount: number): 'NEW' | 'REPEATED' | Error {
  const { lastSequence } = attempt;
  if (batch.sequence < 1) {
    const description = `must be 1 or more; received ${batch.sequence}.`;
    return new InvalidRequestError([{ field: 'sequence', description }]);
  }
  if (batch.sequence <= lastSequence) return 'REPEATED';
  if (batch.sequence > lastSequence + 1) return new SequenceGapError(lastSequence + 1, batch.sequence);
  const violations = [...checkMetrics(batch.epochs, attempt), ...checkRungs(batch.rungs, { ...attempt, imageCount })];
  if (violations.length > 0) return new InvalidRequestError(violations);
  attempt.lastSequence = batch.sequence;
  return 'NEW';
}

/** Adds `markRunning` for many attempts. */
function addRunning(statements: Batch, attempts: readonly FencedAttempt[]): void {
  const leased = attempts.filter(({ state }) => state === 'LEASED');
  if (leased.length === 0) return;
  const taskIds = textArray(leased.map(({ taskId }) => taskId));
  statements.prepared(`UPDATE tasks SET state = 'RUNNING' WHERE task_id = ANY($1::text[])`, [taskIds]);
  addAttemptStarts(statements, leased);
}

function addSequences(statements: Batch, attempts: readonly FencedAttempt[]): void {
  statements.prepared(
    `UPDATE attempts a SET last_sequence = l.last_sequence
       FROM unnest($1::text[], $2::int[], $3::bigint[]) AS l (task_id, lease_epoch, last_sequence)
      WHERE a.task_id = l.task_id AND a.lease_epoch = l.lease_epoch`,
    [
      textArray(attempts.map(({ taskId }) => taskId)),
      int4Array(attempts.map(({ leaseEpoch }) => leaseEpoch)),
      attempts.map(({ lastSequence }) => lastSequence),
    ],
  );
}

/** Records a conflict in the run's state reason. A separate statement, because the batch's transaction was rolled back. */
async function markConflict(store: Store, error: MetricConflictError): Promise<void> {
  await store.pool.query('UPDATE runs SET state_reason = $2 WHERE run_id = $1', [error.runId, error.message]);
}
