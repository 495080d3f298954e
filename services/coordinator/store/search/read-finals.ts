import { modelCost } from '../../../core/network/model-cost.ts';
import type { PlanInput } from '../../../core/planner/plan.ts';
import { repeatSeconds } from '../../../core/planner/repeat-seconds.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import { isBounded } from '../../../core/stopping/budget.ts';
import type { FinalRun } from '../../../core/stopping/finalists.ts';
import type { SearchState } from '../../../core/stopping/search-state.ts';
import { LIVE_STATUSES } from '../../../core/stopping/steps/step.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import { canBeBest, rankKey } from '../run-sql.ts';
import { readFinalEvidence } from '../rungs/read-final-evidence.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Runs among which finalists are chosen, for each finalist: others are worse by chance alone only if all these are. */
const CANDIDATES_PER_FINALIST = 8;

interface FinalRow {
  readonly run_id: string;
  readonly run_index: number;
  readonly parameters: Parameters;
  readonly best_value: number;
  readonly is_head_only: boolean;
}

/**
 * Reads the best runs that were trained to their end, by rank, and the best one that is only a head. Null: the sweep repeats no
 * finalists, or other runs still train.
 */
export async function readFinals(
  tx: StoreTransaction,
  { sweepId, policy }: Pick<LockedSearch, 'sweepId' | 'policy'>,
  {
    input,
    spending,
    runs,
  }: Pick<SearchState, 'spending' | 'runs'> & { readonly input: Omit<PlanInput, 'runs'> | null },
): Promise<readonly FinalRun[] | null> {
  const { finalists, objective } = policy;
  const isLive = runs.some(({ status, repeatOf }) => repeatOf === undefined && LIVE_STATUSES.includes(status));
  if (finalists === undefined || isLive || input === null) return null;
  const { rows } = await tx.query<FinalRow>(
    `SELECT f.run_id, f.run_index, f.parameters, f.best_value, f.is_head_only FROM (
       SELECT r.run_id, r.run_index, r.parameters, r.best_value, h.is_head_only,
              row_number() OVER (ORDER BY ${rankKey('r', 's')}) AS place,
              row_number() OVER (PARTITION BY h.is_head_only ORDER BY ${rankKey('r', 's')}) AS place_of_kind
         FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
        CROSS JOIN LATERAL (SELECT NOT coalesce((r.parameters ->> 'fine_tune.enabled')::boolean, false) AS is_head_only) h
        WHERE r.sweep_id = $1 AND r.state = 'SUCCEEDED' AND ${canBeBest('r', 's')}) f
      WHERE f.place <= $2 OR f.is_head_only AND f.place_of_kind = 1
      ORDER BY f.place`,
    [sweepId, CANDIDATES_PER_FINALIST * finalists.runs],
  );
  const evidence = await readFinalEvidence(
    tx,
    sweepId,
    rows.map((row) => row.run_id),
    objective.metric === 'val_loss',
  );
  const planned = rows.map((row) => ({
    runId: row.run_id,
    index: row.run_index,
    config: compileRunConfig(row.parameters),
  }));
  const sizes = planned.map(({ config }) => modelCost(config, input.dataset.classCount).modelBytes);
  const seconds = isBounded(spending.budget) ? repeatSeconds({ ...input, runs: planned }) : new Map<string, number>();
  return rows.map((row, place): FinalRun => ({
    index: row.run_index,
    value: row.best_value,
    evidence: evidence.get(row.run_id) ?? null,
    modelBytes: sizes[place] ?? null,
    isHeadOnly: row.is_head_only,
    seconds: seconds.get(row.run_id) ?? 0,
  }));
}
