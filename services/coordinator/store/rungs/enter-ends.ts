import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import { int4Array, textArray } from '../../../platform/db/binary-array.ts';
import type { StoreTransaction } from '../transaction.ts';
import { insertEntries } from './enter-rungs.ts';
import type { NewEntry, RungArrival } from './enter-rungs.ts';
import type { LockedSearch } from './search-row.ts';

/** Rungs of a sweep that compares no runs while they train. They exist from the first arrival. */
export const END_RUNGS: readonly RungDefinition[] = [
  { number: 0, stage: 'HEAD', epoch: null },
  { number: 1, stage: 'FINE_TUNE', epoch: null },
];

/**
 * Enters runs at the ends of their stages where no rule judges them: the best run of a sweep is compared with its baseline image by image.
 * A run that has an entry already is left alone. Losses are kept only where they are the objective, because they are 32 times as large
 * as the rest.
 */
export async function enterEnds(
  tx: StoreTransaction,
  search: LockedSearch,
  arrivals: readonly RungArrival[],
): Promise<void> {
  const coming = await withoutKnown(tx, search, arrivals);
  if (coming.length === 0) return;
  const counts = await readCounts(tx, search, [...new Set(coming.map(({ rung }) => rung))]);
  const hasLosses = search.policy.objective.metric === 'val_loss';
  const entries = coming.map((entry): NewEntry => {
    const { evidence, rung } = entry;
    const arrival = (counts.get(rung) ?? 0) + 1;
    counts.set(rung, arrival);
    const kept = hasLosses || evidence === null ? evidence : { ...evidence, losses: null };
    // No places are asked for.
    return { ...entry, evidence: kept, arrival, tieOrder: 0 };
  });
  await insertEntries(tx, search, entries);
}

/** Returns the arrivals that are new, each once. */
async function withoutKnown(
  tx: StoreTransaction,
  { sweepId }: LockedSearch,
  arrivals: readonly RungArrival[],
): Promise<RungArrival[]> {
  if (arrivals.length === 0) return [];
  const { rows } = await tx.prepared<{ run_id: string; rung: number }>(
    `SELECT e.run_id, e.rung FROM rung_entries e
       JOIN unnest($2::text[], $3::int[]) AS a (run_id, rung) ON a.run_id = e.run_id AND a.rung = e.rung
      WHERE e.sweep_id = $1`,
    [sweepId, textArray(arrivals.map(({ runId }) => runId)), int4Array(arrivals.map(({ rung }) => rung))],
  );
  const known = new Set(rows.map(({ run_id, rung }) => `${run_id} ${rung}`));
  return arrivals.filter(({ runId, rung }) => {
    const key = `${runId} ${rung}`;
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

/** Returns the numbers of entries of rungs, which are inserted where they don't exist. */
async function readCounts(
  tx: StoreTransaction,
  { sweepId }: LockedSearch,
  numbers: readonly number[],
): Promise<Map<number, number>> {
  const rungs = END_RUNGS.filter(({ number }) => numbers.includes(number));
  const { rows } = await tx.prepared<{ rung: number; entry_count: number }>(
    `INSERT INTO rungs AS g (sweep_id, rung, stage) SELECT $1, r.rung, r.stage FROM unnest($2::int[], $3::text[]) AS r (rung, stage)
     ON CONFLICT (sweep_id, rung) DO UPDATE SET entry_count = g.entry_count
     RETURNING g.rung, g.entry_count`,
    [sweepId, rungs.map(({ number }) => number), rungs.map(({ stage }) => stage)],
  );
  return new Map(rows.map(({ rung, entry_count }) => [rung, entry_count]));
}
