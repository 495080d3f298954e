import type { Pool } from 'pg';
import type { WinnerStatement } from '../../../core/records/winner-statement.ts';
import { hasBaseline } from '../../../core/samplers/baseline.ts';
import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import { stateWinner } from '../../../core/stopping/winner-statement.ts';
import type { MeasuredRun } from '../../../core/stopping/winner-statement.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { toEvidence, validationCount } from '../rungs/evidence-row.ts';
import type { EvidenceRow } from '../rungs/evidence-row.ts';
import { canBeBest, rankKey, trainerOf } from '../run-sql.ts';

interface MeasuredRow extends EvidenceRow {
  readonly spec: SweepSpec;
  readonly has_baseline: boolean | null;
  readonly run_index: number;
  readonly parameters: Parameters;
  readonly is_best: boolean;
  /** Runs with a value of the objective. */
  readonly run_count: number;
  readonly stage: RungDefinition['stage'];
  /** Epoch of the rung; null: the end of the stage. */
  readonly level: number | null;
  readonly epoch: number;
  readonly is_best_epoch: boolean;
  /** True: both runs are measured at this rung, because the baseline was not trained to its end. */
  readonly is_common: boolean;
}

/**
 * States whether the winner of a sweep, or its best run so far, is better than its baseline on the validation images. A run is compared by its best
 * epoch, or else by the latest one of which results by image are stored: those of a shared head or of a result that was taken belong to
 * the run that trained it. Where the baseline was not trained to its end, both are compared at the last rung that both came to. Null: one
 * of the runs has no entry at a rung, as under earlier versions, or there is no baseline.
 */
export async function readWinnerStatement(pool: Pool, sweepId: string): Promise<WinnerStatement | null> {
  const { rows } = await pool.query<MeasuredRow>(
    `WITH best AS MATERIALIZED (
       SELECT r.run_id FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id LEFT JOIN winners w ON w.run_id = r.run_id
        WHERE r.sweep_id = $1 AND ${canBeBest('r', 's')} ORDER BY w.run_id IS NULL, ${rankKey('r', 's')} LIMIT 1
     ), entries AS MATERIALIZED (
       SELECT r.run_id, r.run_id = best.run_id AS is_best, r.run_index, r.state, e.sweep_id, e.rung, e.run_id AS trained_run_id,
              g.stage, g.epoch AS level, e.epoch, e.correct IS NOT NULL AS has_results,
              coalesce(e.epoch = r.best_epoch AND g.stage = r.best_stage, false) AS is_best_epoch
         FROM best
         JOIN runs r ON r.sweep_id = $1 AND (r.run_id = best.run_id OR r.run_index = 0)
         JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
         JOIN rung_entries e ON e.run_id IN (r.run_id, o.run_id, o.head_run_id)
         JOIN rungs g ON g.sweep_id = e.sweep_id AND g.rung = e.rung
        WHERE e.run_id = r.run_id OR e.run_id = ${trainerOf('o', 'g.stage')}
     ), common AS (
       SELECT b.stage, b.level
         FROM entries a JOIN entries b ON a.stage = b.stage AND a.level IS NOT DISTINCT FROM b.level
        WHERE a.is_best AND a.has_results AND b.run_index = 0 AND b.has_results AND b.state <> 'SUCCEEDED'
        ORDER BY b.stage = 'FINE_TUNE' DESC, b.level DESC NULLS FIRST LIMIT 1
     ), chosen AS (
       SELECT DISTINCT ON (n.run_id) n.*, c.stage IS NOT NULL AS is_common
         FROM entries n LEFT JOIN common c ON c.stage = n.stage AND c.level IS NOT DISTINCT FROM n.level
        ORDER BY n.run_id, is_common DESC, n.has_results DESC, n.is_best_epoch DESC, n.stage = 'FINE_TUNE' DESC, n.epoch DESC,
                 n.trained_run_id = n.run_id DESC
     )
     SELECT s.spec, s.has_baseline, r.run_index, r.parameters, n.is_best,
            (SELECT count(*)::int FROM runs k WHERE k.sweep_id = $1 AND k.best_value IS NOT NULL AND k.repeat_of IS NULL) AS run_count,
            n.stage, n.level, n.epoch, n.is_best_epoch, n.is_common, e.correct, e.losses, ${validationCount('s.dataset_id')} AS image_count
       FROM chosen n
       JOIN sweeps s ON s.sweep_id = $1
       JOIN runs r ON r.run_id = n.run_id
       JOIN rung_entries e ON e.sweep_id = n.sweep_id AND e.rung = n.rung AND e.run_id = n.trained_run_id`,
    [sweepId],
  );
  const best = rows.find((row) => row.is_best);
  const baseline = rows.find((row) => row.run_index === 0);
  if (best === undefined || baseline === undefined || best.run_count < 2) return null;
  if (!hasBaseline({ spec: best.spec, hasBaseline: best.has_baseline }, baseline.parameters)) return null;
  const rung = baseline.is_common ? { stage: baseline.stage, epoch: baseline.level } : null;
  return stateWinner(best.spec.objective, toMeasuredRun(best), toMeasuredRun(baseline), best.run_count, rung);
}

function toMeasuredRun(row: MeasuredRow): MeasuredRun {
  const { run_index: runIndex, stage, epoch } = row;
  return { runIndex, evidence: toEvidence(row), ...(!row.is_best_epoch && { measuredAt: { stage, epoch } }) };
}
