import { moveRuns } from '../move-runs.ts';
import type { RunMove } from '../move-runs.ts';
import { moveTasks } from '../move-tasks.ts';
import type { StoreTransaction } from '../transaction.ts';
import { LIVE_RUNS, PENDING_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';

/**
 * Moves runs to a final state and cancels the tasks that serve no live run any more. Tasks come first, by the lock order. A group task
 * with other live runs is kept, and so is one whose head other live runs share; its trainer skips runs that have ended and are
 * not awaited.
 */
export async function endRuns(
  tx: StoreTransaction,
  runIds: readonly string[],
  move: RunMove & { readonly to: 'FAILED' | 'INFEASIBLE' | 'CANCELLED' | 'STOPPED' },
): Promise<string[]> {
  if (runIds.length === 0) return [];
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT t.task_id
       FROM tasks t
      WHERE t.state IN ${PENDING_TASKS} AND t.stage IN ${TRAINED_STAGE_LIST}
        AND t.task_id IN (SELECT task_id FROM served_runs WHERE run_id = ANY($1))
        AND NOT EXISTS (
          SELECT 1 FROM served_runs sr JOIN runs r ON r.run_id = sr.run_id
           WHERE sr.task_id = t.task_id AND sr.run_id <> ALL($1)
             AND r.state IN ${LIVE_RUNS})`,
    [runIds],
  );
  const cancelled = await moveTasks(
    tx,
    rows.map(({ task_id }) => task_id),
    { to: 'CANCELLED', from: ['WAITING', 'READY'] },
  );
  for (const { taskId, sweepId, stage } of cancelled) {
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message: move.reason });
  }
  return moveRuns(tx, runIds, move);
}
