import type { Evidence } from '../../../core/statistics/evidence.ts';
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
  const { rows } = await pool.query<{
    rung: number;
    run_id: string;
    correct: Buffer;
    losses: Buffer | null;
    image_count: number;
  }>(
    `SELECT e.rung, e.run_id, e.correct, e.losses, images.count AS image_count
       FROM unnest($2::int[], $3::text[]) AS asked (rung, run_id)
       JOIN rung_entries e ON e.sweep_id = $1 AND e.rung = asked.rung AND e.run_id = asked.run_id AND e.correct IS NOT NULL
      CROSS JOIN (
        SELECT coalesce(sum((c ->> 'imageCount')::int), 0)::int AS count
          FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id, jsonb_array_elements(d.class_counts) c
         WHERE s.sweep_id = $1 AND c ->> 'split' = 'validation') images`,
    [sweepId, entries.map(({ rung }) => rung), entries.map(({ runId }) => runId)],
  );
  return new Map(
    rows.map(({ rung, run_id: runId, correct, losses, image_count: count }) => [
      keyOf({ rung, runId }),
      // A copy, because numbers must lie at multiples of their size.
      { correct, count, losses: losses && new Float32Array(new Uint8Array(losses).buffer) },
    ]),
  );
}

export function keyOf({ rung, runId }: EntryName): string {
  return `${rung} ${runId}`;
}
