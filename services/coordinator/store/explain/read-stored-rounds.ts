import { withKnownWeights } from '../../../core/search-round/known-weights.ts';
import type { StoredRounds } from '../../../core/search-round/replay-rounds.ts';
import type { SuggestionDetail, SamplerName } from '../../../core/search-round/suggestion.ts';
import type { StoredSearch } from '../../../core/stopping/decision-inputs.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import { readScreened } from '../rungs/read-screened.ts';
import type { Store } from '../store.ts';

interface SuggestionRow {
  readonly run_index: number;
  readonly round: number;
  readonly position: number;
  readonly sampler: SamplerName;
  readonly detail: SuggestionDetail;
}

/** Reads what the rounds of a sweep are recomputed from. */
export async function readStoredRounds({ pool }: Store, sweepId: string, search: StoredSearch): Promise<StoredRounds> {
  const sweeps = await pool.query<{ spec: SweepSpec; weights: WeightsInfo[] | null }>(
    'SELECT spec, weights FROM sweeps WHERE sweep_id = $1',
    [sweepId],
  );
  const [sweep] = sweeps.rows;
  if (sweep === undefined) throw new Error(`Sweep ${sweepId} has no row.`);
  const runs = await pool.query<{ parameters: Parameters }>(
    'SELECT parameters FROM runs WHERE sweep_id = $1 ORDER BY run_index',
    [sweepId],
  );
  const { rows } = await pool.query<SuggestionRow>(
    `SELECT r.run_index, u.round, u.position, u.sampler, u.detail
       FROM suggestions u JOIN runs r ON r.run_id = u.run_id WHERE u.sweep_id = $1 ORDER BY u.round, u.position`,
    [sweepId],
  );
  return {
    spec: withKnownWeights(sweep.spec, sweep.weights ?? []),
    firstSpec: sweep.spec,
    screened: await readScreened(pool, sweepId),
    search,
    parameters: runs.rows.map(({ parameters }) => parameters),
    suggestions: rows.map(({ run_index: runIndex, position, ...suggestion }) => {
      return { ...suggestion, runIndex, position: position - 1 };
    }),
  };
}
