import { describeSuggestion } from '../../../core/search-round/describe-suggestion.ts';
import type { SamplerName, SuggestionDetail } from '../../../core/search-round/suggestion.ts';
import type { Objective } from '../../../core/objective.ts';
import type { Store } from '../store.ts';

interface SuggestionRow {
  readonly round: number;
  readonly position: number;
  readonly round_runs: number;
  readonly sampler: SamplerName;
  readonly detail: SuggestionDetail;
  readonly objective: Objective;
}

/** Describes how a run came into its sweep; empty unless it was asked for in a round. */
export async function readOrigin({ pool }: Store, runId: string): Promise<string> {
  const { rows } = await pool.query<SuggestionRow>(
    `SELECT u.round, u.position, u.sampler, u.detail, s.spec -> 'objective' AS objective,
            (SELECT count(*)::int FROM suggestions o WHERE o.sweep_id = u.sweep_id AND o.round = u.round) AS round_runs
       FROM suggestions u JOIN sweeps s ON s.sweep_id = u.sweep_id WHERE u.run_id = $1`,
    [runId],
  );
  const [row] = rows;
  if (row === undefined) return '';
  const { round, position, sampler, detail, round_runs: roundRuns, objective } = row;
  return describeSuggestion({ round, position: position - 1, sampler, detail }, roundRuns, objective);
}
