import type { StoreTransaction } from '../transaction.ts';

/** Reads the candidate of a screen that each of these runs belongs to, as its key (`core/stopping/screen/candidate.ts`). */
export async function readTargets(
  tx: StoreTransaction,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (runIds.length === 0) return new Map();
  const { rows } = await tx.query<{ run_id: string; run_index: number; parameters: string }>(
    'SELECT run_id, run_index, parameters::text AS parameters FROM runs WHERE run_id = ANY($1) ORDER BY run_index',
    [runIds],
  );
  const runs = rows.map((row) => ({ runId: row.run_id, index: row.run_index, parameters: row.parameters }));
  const keys = await tx.during(tx.store.planner.targets({ runs }));
  return new Map(keys);
}
