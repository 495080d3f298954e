import type { StoreTransaction } from '../transaction.ts';
import { LEASED_TASKS, TRAINED_STAGE_LIST } from '../state-sql.ts';

/** Returns the runs of a task, sorted; none for INDEX and FEATURES. */
export async function runIdsOf(tx: StoreTransaction, taskId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM task_runs WHERE task_id = $1 ORDER BY run_id',
    [taskId],
  );
  return rows.map(({ run_id }) => run_id);
}

/** Returns the runs of a task that no other live task trains. A run's head may be retrained while the run is fine-tuned. */
export async function runIdsOnlyIn(tx: StoreTransaction, taskId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    `SELECT tr.run_id FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
      WHERE tr.task_id = $1 AND NOT ${isElsewhere('tr', 't')} ORDER BY tr.run_id`,
    [taskId],
  );
  return rows.map(({ run_id }) => run_id);
}

/** Returns SQL of whether another live task trains a run. @param member alias of `task_runs`; @param task alias of its `tasks` */
export function isElsewhere(member: string, task: string): string {
  return `EXISTS (SELECT 1 FROM task_runs o JOIN tasks ot ON ot.task_id = o.task_id
    WHERE o.run_id = ${member}.run_id AND ot.task_id <> ${task}.task_id AND ot.state IN ${LEASED_TASKS}
      AND ot.stage IN ${TRAINED_STAGE_LIST})`;
}
