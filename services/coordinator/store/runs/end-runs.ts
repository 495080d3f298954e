import type { EndCause } from '../../../core/records/run.ts';
import { IDLE_RUN_STATES } from '../../../core/states/run-state.ts';
import { addRunMove, moveRuns } from '../move-runs.ts';
import type { RunMove } from '../move-runs.ts';
import { moveTasks } from '../move-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { isEvaluationAwaiting } from '../run-sql.ts';
import { LIVE_RUNS, PENDING_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';
import { supersedeUnsaved } from './supersede-unsaved.ts';

/**
 * Moves runs to a final state and cancels the tasks that serve no live run any more. Tasks come first, by the lock order. A group task
 * with other live runs is kept, and so is one whose head other live runs share; its trainer skips runs that have ended and are
 * not awaited. A task of another sweep, which repairs what a run has trained, is that sweep's. A run that is STOPPED keeps of its lost
 * attempts what they have stored.
 */
export async function endRuns(
  tx: StoreTransaction,
  runIds: readonly string[],
  move: RunMove & { readonly to: 'FAILED' | 'INFEASIBLE' | 'CANCELLED' | 'STOPPED' },
): Promise<string[]> {
  if (runIds.length === 0) return [];
  await cancelTasksOf(tx, runIds, move.reason);
  const moved = await moveRuns(tx, runIds, move);
  if (move.to === 'STOPPED') await supersedeUnsaved(tx, moved);
  return moved;
}

/**
 * Stops idle runs of a locked sweep, each with its reason. All of its pending tasks are locked before the first run: a lease holds a task
 * and waits for its runs, also for those of a group that are stopped here one after the other.
 *
 * @param find reads the runs with their reasons once no lease can begin any more
 * @returns the number of runs that were stopped
 */
export async function stopIdleRuns(
  tx: StoreTransaction,
  sweepId: string,
  { cause, because }: { readonly cause: EndCause; readonly because: string },
  find: () => Promise<ReadonlyMap<string, string>>,
): Promise<number> {
  await tx.query(
    `SELECT 1 FROM tasks WHERE sweep_id = $1 AND state IN ${PENDING_TASKS} AND stage IN ${TRAINED_STAGE_LIST}
      ORDER BY task_id FOR NO KEY UPDATE`,
    [sweepId],
  );
  const reasons = [...(await find())].sort(([a], [b]) => (a < b ? -1 : 1));
  if (reasons.length === 0) return 0;
  await cancelTasksOf(
    tx,
    reasons.map(([runId]) => runId),
    because,
  );
  const batch = tx.batch();
  const moved = reasons.map(([runId, reason]) =>
    addRunMove(tx, batch, [runId], { to: 'STOPPED', from: IDLE_RUN_STATES, reason, cause }),
  );
  await batch.send();
  const stopped = moved.flatMap(({ rows }) => rows.map(({ run_id }) => run_id));
  await supersedeUnsaved(tx, stopped);
  return stopped.length;
}

/** Cancels the pending tasks that serve no live run but these. A stage that is retrained for an evaluation is kept. */
async function cancelTasksOf(tx: StoreTransaction, runIds: readonly string[], message: string): Promise<void> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT t.task_id
       FROM tasks t
      WHERE t.state IN ${PENDING_TASKS} AND t.stage IN ${TRAINED_STAGE_LIST}
        AND t.task_id IN (SELECT task_id FROM served_runs WHERE run_id = ANY($1))
        AND t.sweep_id IN (SELECT sweep_id FROM runs WHERE run_id = ANY($1))
        AND NOT EXISTS (
          SELECT 1 FROM served_runs sr JOIN runs r ON r.run_id = sr.run_id
           WHERE sr.task_id = t.task_id AND sr.run_id <> ALL($1)
             AND r.state IN ${LIVE_RUNS})
        AND NOT ${isEvaluationAwaiting('t')}`,
    [runIds],
  );
  const cancelled = await moveTasks(
    tx,
    rows.map(({ task_id }) => task_id),
    { to: 'CANCELLED', from: ['WAITING', 'READY'] },
  );
  for (const { taskId, sweepId, stage } of cancelled) {
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message });
  }
}
