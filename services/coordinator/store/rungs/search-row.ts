import type { SearchEnd } from '../../../core/records/decision.ts';
import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { StoreTransaction } from '../transaction.ts';

/** The search of a sweep, locked until the end of the transaction: rungs, entries and decisions change under this lock only. */
export interface LockedSearch {
  readonly sweepId: string;
  readonly policy: SearchPolicy;
  /** Number of decisions, including those of this transaction. */
  decisionCount: number;
  /** Null: it has not ended. */
  readonly endReason: SearchEnd | null;
}

/** Inserts the search of a sweep that is being planned, with its rungs. */
export async function insertSearch(tx: StoreTransaction, sweepId: string, policy: SearchPolicy): Promise<void> {
  await tx.query('INSERT INTO searches (sweep_id, policy) VALUES ($1, $2::jsonb)', [sweepId, JSON.stringify(policy)]);
  await insertRungs(tx, sweepId, policy.ladder);
}

/** Stores the policy of an extended sweep, and the rungs that it adds. */
export async function updatePolicy(
  tx: StoreTransaction,
  { sweepId, policy: { ladder: known } }: LockedSearch,
  policy: SearchPolicy,
): Promise<void> {
  await tx.query('UPDATE searches SET policy = $2::jsonb WHERE sweep_id = $1', [sweepId, JSON.stringify(policy)]);
  await insertRungs(tx, sweepId, policy.ladder.slice(known.length));
}

async function insertRungs(tx: StoreTransaction, sweepId: string, ladder: readonly RungDefinition[]): Promise<void> {
  if (ladder.length === 0) return;
  await tx.query(
    `INSERT INTO rungs (sweep_id, rung, stage, epoch)
     SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[])
         ON CONFLICT (sweep_id, rung) DO NOTHING`,
    [sweepId, ladder.map(({ number }) => number), ladder.map(({ stage }) => stage), ladder.map(({ epoch }) => epoch)],
  );
}

/** Locks the search of a sweep; null where the sweep is not planned, or was planned before searches were recorded. */
export async function lockSearch(tx: StoreTransaction, sweepId: string): Promise<LockedSearch | null> {
  const { rows } = await tx.prepared<{ policy: SearchPolicy; decision_count: string; end_reason: SearchEnd | null }>(
    `SELECT policy, decision_count::text AS decision_count, end_reason FROM searches WHERE sweep_id = $1
        FOR NO KEY UPDATE`,
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined) return null;
  return { sweepId, policy: row.policy, decisionCount: Number(row.decision_count), endReason: row.end_reason };
}

/** Continues a search that has ended, because a person gives its sweep more work. */
export async function reopenSearch(tx: StoreTransaction, { sweepId }: LockedSearch): Promise<void> {
  await tx.query(
    'UPDATE searches SET end_reason = NULL, end_time = NULL WHERE sweep_id = $1 AND end_reason IS NOT NULL',
    [sweepId],
  );
}
