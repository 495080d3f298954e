import type { StoreTransaction } from '../transaction.ts';
import { LEASED_TASKS } from '../state-sql.ts';

/** Returns the runs of a task, sorted; none for INDEX and FEATURES. */
export async function runIdsOf(tx: StoreTransaction, taskId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM task_runs WHERE task_id = $1 ORDER BY run_id',
    [taskId],
  );
  return rows.map(({ run_id }) => run_id);
}

/**
 * Returns the runs whose state follows from a task: those of its own sweep that no live task trains further. A head may be retrained while
 * its run is fine-tuned, and for another sweep than that of its run.
 */
export async function runIdsOnlyIn(tx: StoreTransaction, taskId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    `SELECT tr.run_id FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
       JOIN runs r ON r.run_id = tr.run_id AND r.sweep_id = t.sweep_id
      WHERE tr.task_id = $1 AND NOT ${isElsewhere('tr', 't')} ORDER BY tr.run_id`,
    [taskId],
  );
  return rows.map(({ run_id }) => run_id);
}

/**
 * Returns SQL of whether a slot fine-tunes a run whose head the task retrains.
 *
 * @param member alias of `task_runs`; @param task alias of its `tasks`
 */
export function isElsewhere(member: string, task: string): string {
  return `(${task}.stage = 'HEAD' AND EXISTS (
    SELECT 1 FROM task_runs o JOIN tasks ot ON ot.task_id = o.task_id
     WHERE o.run_id = ${member}.run_id AND ot.state IN ${LEASED_TASKS} AND ot.stage = 'FINE_TUNE'))`;
}
