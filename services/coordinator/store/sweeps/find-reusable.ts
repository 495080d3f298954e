import type { Objective } from '../../../core/objective.ts';
import { RECIPE_VERSION } from '../../../core/recipe-version.ts';
import { trainerOf } from '../run-sql.ts';
import { bestEpochSql } from '../runs/summarize-runs.ts';
import { LIVE_TASKS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';

export interface ReuseQuestion {
  /** Digests of results or of heads (`core/planner/result-digest.ts`). */
  readonly digests: readonly string[];
  readonly objective: Objective;
  /** The sweep that asks; null: one that is not submitted. */
  readonly sweepId: string | null;
}

/** A run that has trained what another sweep needs. */
export interface ReusableRun {
  readonly runId: string;
  readonly runIndex: number;
  readonly sweepId: string;
}

interface ReusableRow {
  readonly digest: string;
  readonly run_id: string;
  readonly run_index: number;
  readonly sweep_id: string;
}

/**
 * Returns SQL of whether every attempt of tasks was made by code of this version. $4 is the version.
 *
 * @param condition of `task_runs tr` and `tasks t`
 */
function allOfThisRecipe(condition: string): string {
  return `NOT EXISTS (
    SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id JOIN attempts a ON a.task_id = t.task_id
     WHERE ${condition} AND a.recipe_version IS DISTINCT FROM $4)`;
}

/**
 * Returns the run of another sweep that has trained each result to its end, by digest: all epochs, or up to its own early stopping; of a
 * fine-tuned run its fine-tuning. The checkpoint of its best epoch by the objective must still be stored, because it is what evaluations
 * and downloads need. Of several runs the first that ended is taken.
 */
export async function findReusableResults(
  tx: StoreTransaction,
  { digests, objective, sweepId }: ReuseQuestion,
): Promise<ReadonlyMap<string, ReusableRun>> {
  const { rows } = await tx.query<ReusableRow>(
    `SELECT DISTINCT ON (o.result_digest) o.result_digest AS digest, o.run_id, o.run_index, o.sweep_id
       FROM runs o
      CROSS JOIN LATERAL (${bestEpochSql('o', '$2', '$3')}) best
      WHERE o.result_digest = ANY($1) AND o.reused_run_id IS NULL AND o.sweep_id IS DISTINCT FROM $5
        AND o.state = 'SUCCEEDED'
        AND (NOT coalesce((o.parameters ->> 'fine_tune.enabled')::boolean, false) OR EXISTS (
          SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
           WHERE tr.run_id = o.run_id AND t.stage = 'FINE_TUNE' AND tr.state IN ('SUCCEEDED', 'EARLY_STOPPED')))
        AND EXISTS (
          SELECT 1 FROM checkpoints c
           WHERE c.run_id = ${trainerOf('o', 'best.stage')}
             AND c.stage = best.stage AND c.epoch = best.epoch AND c.kind = 'BEST' AND c.state = 'STORED')
        AND ${allOfThisRecipe(`(tr.run_id = o.run_id OR tr.run_id = o.head_run_id AND t.stage = 'HEAD')`)}
      ORDER BY o.result_digest, o.end_time, o.run_id`,
    [digests, objective.metric, objective.goal, RECIPE_VERSION, sweepId],
  );
  return byDigest(rows);
}

/**
 * Returns the run of another sweep that has trained each head, by digest, whatever became of its fine-tuning. The checkpoint of the
 * head's best epoch must still be stored, because fine-tuning starts from it.
 */
export async function findReusableHeads(
  tx: StoreTransaction,
  { digests, objective, sweepId }: ReuseQuestion,
): Promise<ReadonlyMap<string, ReusableRun>> {
  const { rows } = await tx.query<ReusableRow>(
    `SELECT DISTINCT ON (o.head_digest) o.head_digest AS digest, o.run_id, o.run_index, o.sweep_id
       FROM runs o
      CROSS JOIN LATERAL (
        SELECT m.epoch FROM epoch_metrics m
         WHERE m.run_id = o.run_id AND m.stage = 'HEAD' AND m.name = $2 AND m.superseded_by IS NULL AND m.value <> 'NaN'
         ORDER BY CASE WHEN $3 = 'minimize' THEN m.value ELSE -m.value END, m.epoch LIMIT 1
      ) best
      WHERE o.head_digest = ANY($1) AND o.reused_run_id IS NULL AND o.head_run_id IS NULL AND o.sweep_id IS DISTINCT FROM $5
        AND EXISTS (
          SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
           WHERE tr.run_id = o.run_id AND t.stage = 'HEAD' AND tr.state IN ('SUCCEEDED', 'EARLY_STOPPED'))
        AND NOT EXISTS (
          SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
           WHERE tr.run_id = o.run_id AND t.stage = 'HEAD' AND t.state IN ${LIVE_TASKS})
        AND EXISTS (
          SELECT 1 FROM checkpoints c
           WHERE c.run_id = o.run_id AND c.stage = 'HEAD' AND c.epoch = best.epoch AND c.kind = 'BEST' AND c.state = 'STORED')
        AND ${allOfThisRecipe(`tr.run_id = o.run_id AND t.stage = 'HEAD'`)}
      ORDER BY o.head_digest, o.create_time, o.run_id`,
    [digests, objective.metric, objective.goal, RECIPE_VERSION, sweepId],
  );
  return byDigest(rows);
}

function byDigest(rows: readonly ReusableRow[]): ReadonlyMap<string, ReusableRun> {
  return new Map(
    rows.map((row) => [row.digest, { runId: row.run_id, runIndex: row.run_index, sweepId: row.sweep_id }]),
  );
}
