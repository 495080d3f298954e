import type { StoreTransaction } from '../transaction.ts';

/**
 * The next ready task, locked; null when there is none. Tasks whose feature sets the slot's machine holds come first, then
 * the oldest sweep, then the plan's order. SKIP LOCKED: slots that ask at the same moment don't wait for each other and
 * never get the same task. Two statements instead of one ordered by "holds", because that would look up the feature sets of
 * every ready task at every lease.
 */
export async function pickTask(tx: StoreTransaction, heldFeatureKeys: readonly string[]): Promise<string | null> {
  if (heldFeatureKeys.length > 0) {
    const { rows } = await tx.query<{ task_id: string }>(
      pickSql('AND t.task_id IN (SELECT task_id FROM task_feature_sets WHERE feature_key = ANY($1))'),
      [heldFeatureKeys],
    );
    if (rows[0]) return rows[0].task_id;
  }
  const { rows } = await tx.query<{ task_id: string }>(pickSql(''));
  return rows[0]?.task_id ?? null;
}

function pickSql(condition: string): string {
  return `
    SELECT t.task_id
      FROM tasks t JOIN sweeps s ON s.sweep_id = t.sweep_id
     WHERE t.state = 'READY' AND t.not_before_time <= now() AND s.state = 'ACTIVE' ${condition}
     ORDER BY s.create_time, s.sweep_id, t.position, t.task_id
     LIMIT 1
       FOR NO KEY UPDATE OF t SKIP LOCKED`;
}
