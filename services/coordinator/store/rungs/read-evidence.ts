import type { Evidence } from '../../../core/statistics/evidence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { SWEEP_VALIDATION_COUNT, toEvidence } from './evidence-row.ts';
import type { EvidenceRow } from './evidence-row.ts';

/** A run at a rung. */
export interface EntryName {
  readonly rung: number;
  readonly arrival: number;
}

/** A connection, or a transaction. */
export type Queryable = Pick<StoreTransaction, 'query'>;

/**
 * Reads which validation images runs classified correctly, by `keyOf`. Entries without results by image are absent.
 *
 * @param needsLosses false: without the losses of the images, which are most of the bytes
 */
export async function readEvidence(
  db: Queryable,
  sweepId: string,
  entries: readonly EntryName[],
  needsLosses = true,
): Promise<ReadonlyMap<string, Evidence>> {
  const { rows } = await db.query<EvidenceRow & EntryName>(
    `SELECT e.rung, e.arrival, e.correct, CASE WHEN $4 THEN e.losses END AS losses, ${SWEEP_VALIDATION_COUNT} AS image_count
       FROM unnest($2::int[], $3::int[]) AS asked (rung, arrival)
       JOIN rung_entries e ON e.sweep_id = $1 AND e.rung = asked.rung AND e.arrival = asked.arrival`,
    [sweepId, entries.map(({ rung }) => rung), entries.map(({ arrival }) => arrival), needsLosses],
  );
  return new Map(
    rows.flatMap((row) => {
      const evidence = toEvidence(row);
      return evidence === null ? [] : [[keyOf(row), evidence] as const];
    }),
  );
}

export function keyOf({ rung, arrival }: EntryName): string {
  return `${rung} ${arrival}`;
}
