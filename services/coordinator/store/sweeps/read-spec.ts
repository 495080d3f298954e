import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Reads the specification of a locked sweep. */
export async function readSpec(tx: StoreTransaction, sweepId: string): Promise<SweepSpec> {
  const { rows } = await tx.query<{ spec: SweepSpec }>('SELECT spec FROM sweeps WHERE sweep_id = $1', [sweepId]);
  if (!rows[0]) throw new Error(`Sweep ${sweepId} vanished while it was locked.`);
  return rows[0].spec;
}
