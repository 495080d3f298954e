import { costContextOf } from '../../../core/planner/plan-sweep.ts';
import { forecastEvaluations } from '../../../core/planner/cost/plan-cost.ts';
import type { PlanInput } from '../../../core/planner/plan.ts';
import { isBounded } from '../../../core/stopping/budget.ts';
import type { Spending } from '../../../core/stopping/budget.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import type { BudgetSpec } from '../../../core/sweep/search-spec.ts';
import type { Parameters, TestPolicyName } from '../../../core/sweep/sweep-spec.ts';
import { validationCount } from '../rungs/evidence-row.ts';
import { canBeBest, rankKey, trainerOf } from '../run-sql.ts';
import { LIVE_TASKS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

/** SQL of the slot-seconds of a sweep's attempts, lost and running ones included. `$1` is the sweep. */
const SPENT_SECONDS = `
  SELECT coalesce(extract(epoch FROM sum(coalesce(a.end_time, now()) - a.create_time)), 0)::float8
    FROM tasks t JOIN attempts a ON a.task_id = t.task_id WHERE t.sweep_id = $1`;

/**
 * Reads the bounds of a sweep and its use of them. Only epochs that are stored reach a target, because the attempt that stops for it may be
 * lost before it has saved its own.
 *
 * @param input reads what plans of the sweep need, for forecasts
 */
export async function readSpending(
  tx: StoreTransaction,
  sweepId: string,
  input: () => Promise<Omit<PlanInput, 'runs'> | null>,
): Promise<Spending> {
  const { rows } = await tx.query<{
    budget: BudgetSpec | null;
    test_policy: TestPolicyName;
    wall_seconds: number | null;
    spent_seconds: number;
    best_value: number | null;
    image_count: number;
  }>(
    `SELECT s.budget, s.test_policy,
            (extract(epoch FROM coalesce(s.end_time, now()) - s.start_time) - s.ended_seconds)::float8 AS wall_seconds,
            CASE WHEN s.budget IS NULL THEN 0 ELSE (${SPENT_SECONDS}) END AS spent_seconds,
            (SELECT r.best_value FROM runs r
               JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
              WHERE s.budget -> 'target' <> 'null' AND r.sweep_id = s.sweep_id AND ${canBeBest('r', 's')}
                AND EXISTS (SELECT 1 FROM checkpoints c
                             WHERE c.run_id = ${trainerOf('o', 'r.best_stage')} AND c.stage = r.best_stage
                               AND c.epoch = r.best_epoch AND c.kind = 'BEST' AND c.state = 'STORED')
              ORDER BY ${rankKey('r', 's')} LIMIT 1) AS best_value,
            ${validationCount('s.dataset_id')} AS image_count
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const row = rows[0];
  if (row === undefined || row.budget === null) {
    return { budget: null, spentSeconds: 0, reservedSeconds: 0, wallSeconds: null, best: null };
  }
  const { budget, best_value: value, image_count: imageCount } = row;
  return {
    budget,
    spentSeconds: row.spent_seconds,
    reservedSeconds: isBounded(budget) ? await readReserved(tx, sweepId, row.test_policy, await input()) : 0,
    wallSeconds: row.wall_seconds,
    best: value === null ? null : { value, imageCount },
  };
}

/** Returns the forecast seconds of the rest of the open tasks and of the evaluation. */
async function readReserved(
  tx: StoreTransaction,
  sweepId: string,
  testPolicy: TestPolicyName,
  input: Omit<PlanInput, 'runs'> | null,
): Promise<number> {
  const open = await tx.query<{ seconds: number }>(
    `SELECT coalesce(sum(greatest(0, coalesce(t.forecast_seconds, 0) - coalesce(extract(epoch FROM now() - a.create_time), 0))), 0)::float8
              AS seconds
       FROM tasks t LEFT JOIN attempts a ON a.task_id = t.task_id AND a.lease_epoch = t.lease_epoch AND a.end_time IS NULL
      WHERE t.sweep_id = $1 AND t.state IN ${LIVE_TASKS} AND t.stage <> 'EVALUATE'`,
    [sweepId],
  );
  const reserved = open.rows[0]?.seconds ?? 0;
  if (input === null) return reserved;
  // The first run of each base is enough: all runs of a base pass it once.
  const { rows } = await tx.query<{ run_id: string; run_index: number; parameters: Parameters }>(
    `SELECT DISTINCT ON (parameters -> 'backbone', parameters -> 'weights', parameters -> 'image_size') run_id, run_index, parameters
       FROM runs WHERE sweep_id = $1 AND state <> 'INFEASIBLE'
      ORDER BY parameters -> 'backbone', parameters -> 'weights', parameters -> 'image_size', run_index`,
    [sweepId],
  );
  const runs = rows.map((row) => ({
    runId: row.run_id,
    index: row.run_index,
    config: compileRunConfig(row.parameters),
  }));
  const evaluations = forecastEvaluations(costContextOf(input), runs, testPolicy);
  return evaluations.reduce((sum, { seconds }) => sum + seconds, reserved);
}
