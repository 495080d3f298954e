import type { StoreTransaction } from '../transaction.ts';

/** Runs a task serves, sorted; none for INDEX and FEATURES. */
export async function runIdsOf(tx: StoreTransaction, taskId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM task_runs WHERE task_id = $1 ORDER BY run_id',
    [taskId],
  );
  return rows.map(({ run_id }) => run_id);
}
