import type { SearchEnd } from '../../../core/records/decision.ts';
import type { SearchSummary } from '../../../core/stopping/explain-run.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { Store } from '../store.ts';

/** Reads the search of a sweep; null: it is not planned, or was planned by a version without rungs. */
export async function readSearchSummary({ pool }: Store, sweepId: string): Promise<SearchSummary | null> {
  const searches = await pool.query<{ policy: SearchPolicy; end_reason: SearchEnd | null }>(
    'SELECT policy, end_reason FROM searches WHERE sweep_id = $1',
    [sweepId],
  );
  const [search] = searches.rows;
  if (search === undefined) return null;
  // Where no run is compared, the ends of stages are kept for the comparison of the best run with the baseline alone.
  if (search.policy.ladder.length === 0) return { policy: search.policy, end: search.end_reason, rungs: [] };
  const { rows } = await pool.query<{
    rung: number;
    stage: 'HEAD' | 'FINE_TUNE';
    epoch: number | null;
    entry_count: number;
  }>('SELECT rung, stage, epoch, entry_count FROM rungs WHERE sweep_id = $1 ORDER BY rung', [sweepId]);
  return {
    policy: search.policy,
    end: search.end_reason,
    rungs: rows.map(({ rung, stage, epoch, entry_count }) => ({ rung, stage, epoch, entryCount: entry_count })),
  };
}
