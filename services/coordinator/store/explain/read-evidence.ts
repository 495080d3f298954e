import type { Evidence } from '../../../core/statistics/evidence.ts';
import { SWEEP_VALIDATION_COUNT, toEvidence } from '../rungs/evidence-row.ts';
import type { EvidenceRow } from '../rungs/evidence-row.ts';
import type { Store } from '../store.ts';

/** A run at a rung. */
export interface EntryName {
  readonly rung: number;
  readonly runId: string;
}

/** Reads which validation images runs classified correctly, and their losses, by `keyOf`. Entries without results by image are absent. */
export async function readEvidence(
  { pool }: Store,
  sweepId: string,
  entries: readonly EntryName[],
): Promise<ReadonlyMap<string, Evidence>> {
  const { rows } = await pool.query<EvidenceRow & { readonly rung: number; readonly run_id: string }>(
    `SELECT e.rung, e.run_id, e.correct, e.losses, ${SWEEP_VALIDATION_COUNT} AS image_count
       FROM unnest($2::int[], $3::text[]) AS asked (rung, run_id)
       JOIN rung_entries e ON e.sweep_id = $1 AND e.rung = asked.rung AND e.run_id = asked.run_id`,
    [sweepId, entries.map(({ rung }) => rung), entries.map(({ runId }) => runId)],
  );
  return new Map(
    rows.flatMap((row) => {
      const evidence = toEvidence(row);
      return evidence === null ? [] : [[keyOf({ rung: row.rung, runId: row.run_id }), evidence] as const];
    }),
  );
}

export function keyOf({ rung, runId }: EntryName): string {
  return `${rung} ${runId}`;
}
