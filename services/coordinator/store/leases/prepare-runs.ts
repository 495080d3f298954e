import type { ObjectiveGoal } from '../../../core/objective.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import type { Stage } from '../../../core/task.ts';
import type { Answer, Batch } from '../../../platform/db/batch.ts';
import { supersedeLaterRows } from '../metrics/supersede-later-rows.ts';
import { addRunMove } from '../move-runs.ts';
import { summarizeRuns } from '../runs/summarize-runs.ts';
import type { StoreTransaction } from '../transaction.ts';
import { pinSources } from './pin-sources.ts';

interface TaskRunRow {
  readonly run_id: string;
  readonly stage: Stage;
  readonly parameters: Parameters;
  readonly objective_goal: ObjectiveGoal;
  /** False: the task repairs what a run of another sweep has trained. */
  readonly is_own: boolean;
}

/** Adds the statement that reads what `prepareRuns` needs. */
export function addRunsOfTask(batch: Batch, taskId: string): Answer<TaskRunRow> {
  return batch.prepared<TaskRunRow>(
    `SELECT r.run_id, t.stage, r.parameters, s.objective_goal, r.sweep_id = t.sweep_id AS is_own
       FROM tasks t
       JOIN task_runs tr ON tr.task_id = t.task_id
       JOIN runs r ON r.run_id = tr.run_id
       JOIN sweeps s ON s.sweep_id = t.sweep_id
      WHERE t.task_id = $1
      ORDER BY r.run_id`,
    [taskId],
  );
}

/**
 * Brings the runs of a task that has just been leased to the point from which the attempt starts: RUNNING in its stage, metrics
 * of earlier attempts after the resume checkpoint superseded, source checkpoints pinned.
 */
export async function prepareRuns(
  tx: StoreTransaction,
  taskId: string,
  leaseEpoch: number,
  rows: readonly TaskRunRow[],
): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const runIds = rows.map(({ run_id }) => run_id);
  await pinSources(tx, taskId, first.stage, first.objective_goal);
  // An evaluation reads runs that have ended; it does not move them.
  if (first.stage !== 'HEAD' && first.stage !== 'FINE_TUNE') return;
  const own = rows.filter((row) => row.is_own);
  const ownIds = own.map(({ run_id }) => run_id);
  const batch = tx.batch();
  addRunMove(tx, batch, ownIds, { to: 'RUNNING', reason: '', stage: first.stage, from: ['QUEUED'] });
  batch.prepared(
    `UPDATE runs r SET epoch_limit = limits.epoch_limit
       FROM unnest($1::text[], $2::int[]) AS limits (run_id, epoch_limit)
      WHERE r.run_id = limits.run_id AND r.stage = $3`,
    [ownIds, own.map(epochLimitOf), first.stage],
  );
  await batch.send();
  if (leaseEpoch > 1) await supersedeLaterRows(tx, taskId, first.stage, leaseEpoch);
  // A head that has never been leased has no rows to summarize.
  if (leaseEpoch > 1 || first.stage !== 'HEAD') await summarizeRuns(tx, runIds);
}

function epochLimitOf(row: TaskRunRow): number {
  const config = compileRunConfig(row.parameters);
  return row.stage === 'FINE_TUNE' ? (config.fineTune?.epochs ?? 0) : config.epochs;
}
