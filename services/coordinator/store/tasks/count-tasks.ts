import type { StoreTransaction } from '../transaction.ts';

/** Tasks of a locked sweep. They are never deleted, so that this number was never used in an identity. */
export async function countTasks(tx: StoreTransaction, sweepId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>('SELECT count(*)::int AS count FROM tasks WHERE sweep_id = $1', [
    sweepId,
  ]);
  return rows[0]?.count ?? 0;
}
