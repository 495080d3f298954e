import type { Pool } from 'pg';
import { NotFoundError } from '../../../core/errors.ts';
import type { SearchEnd } from '../../../core/records/decision.ts';
import type { EndCause } from '../../../core/records/run.ts';
import type { ObjectiveMetric } from '../../../core/objective.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import type { RungDefinition } from '../../../core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import type { BudgetSpec } from '../../../core/sweep/search-spec.ts';
import type { MlflowTarget } from '../../../core/sweep/sweep-spec.ts';
import type { Stage } from '../../../core/task.ts';
import { trainerOf } from '../run-sql.ts';
import type { TakenEntry } from './take-entries.ts';

/** Returns SQL of a time in milliseconds since 1970, truncated, so that a row always gives the same number. */
const ms = (column: string): string => `floor(extract(epoch FROM ${column}) * 1000)::float8`;

export interface MirroredDataset {
  readonly datasetId: string;
  readonly digest: string;
  readonly path: string;
  readonly classNames: readonly string[];
  readonly classCounts: readonly { readonly split: string; readonly className: string; readonly imageCount: number }[];
}

export interface MirroredSweep {
  readonly sweepId: string;
  readonly displayName: string;
  readonly notes: string;
  readonly tags: readonly string[];
  readonly state: SweepState;
  readonly stateReason: string;
  readonly objective: string;
  /** Rule by which runs are compared, with its version; null: the sweep is not planned, or has none. */
  readonly stoppingRule: string | null;
  /** Policy by which runs are compared; null: as above, or by a version whose policies had no ladder. */
  readonly policy: SearchPolicy | null;
  readonly budget: BudgetSpec | null;
  readonly searchEnd: SearchEnd | null;
  readonly target: MlflowTarget;
  readonly dataset: MirroredDataset | null;
  readonly startMs: number;
  readonly endMs: number | null;
}

export interface MirroredRun {
  readonly runId: string;
  readonly sweepId: string;
  readonly runIndex: number;
  readonly notes: string;
  readonly tags: readonly string[];
  readonly state: RunState;
  readonly stateReason: string;
  readonly stage: Stage;
  readonly epochCount: number;
  /** Highest rung that it has reached. */
  readonly rung: RungDefinition | null;
  /** True: it waits there. */
  readonly isPausedAtRung: boolean;
  /** Latest decision about it, with its reason; empty: none. */
  readonly decision: string;
  readonly endCause: EndCause | null;
  readonly reusedRunId: string | null;
  /** Run of which it is another seed. */
  readonly repeatOfRunId: string | null;
  /** Sampler that asked for it; empty: its sweep has no rounds. */
  readonly sampler: string;
  readonly round: number | null;
  readonly bestStage: Stage | null;
  readonly bestEpoch: number | null;
  readonly objectiveMetric: ObjectiveMetric;
  readonly bestValue: number | null;
  readonly bestValLoss: number | null;
  readonly bestValAccuracy: number | null;
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  readonly dataset: MirroredDataset | null;
  readonly hasStarted: boolean;
  readonly startMs: number;
  readonly endMs: number | null;
}

/** A row of `epoch_metrics`, superseded or not. */
export interface MirroredPoint {
  readonly stage: Stage;
  readonly epoch: number;
  readonly name: string;
  readonly value: number;
  readonly timeMs: number;
}

export interface MirroredTestResult {
  readonly role: string;
  readonly accuracy: number;
  readonly accuracyLow: number;
  readonly accuracyHigh: number;
  readonly loss: number;
  readonly rocAuc: number | null;
  readonly macroF1: number | null;
  readonly balancedAccuracy: number | null;
  readonly imageCount: number;
  readonly timeMs: number;
}

const DATASET = `CASE WHEN d.dataset_id IS NOT NULL THEN json_build_object(
    'datasetId', d.dataset_id, 'digest', d.digest, 'path', coalesce(s.spec -> 'dataset' ->> 'path', d.path), 'classNames', d.class_names,
    'classCounts', d.class_counts) END AS dataset`;

/** Reads a sweep. @throws NotFoundError */
export async function readMirroredSweep(pool: Pool, sweepId: string): Promise<MirroredSweep> {
  const { rows } = await pool.query<Omit<MirroredSweep, 'target'> & { target: Partial<MlflowTarget> | null }>(
    `SELECT s.sweep_id AS "sweepId", s.display_name AS "displayName", s.notes, s.tags, s.state, s.state_reason AS "stateReason",
            s.objective_goal || ' ' || s.objective_metric AS objective, h.policy ->> 'rule' AS "stoppingRule",
            CASE WHEN h.policy ? 'ladder' THEN h.policy END AS policy, s.budget, h.end_reason AS "searchEnd", s.spec -> 'mlflow' AS target, ${DATASET},
            ${ms('s.create_time')} AS "startMs", ${ms('s.end_time')} AS "endMs"
       FROM sweeps s
       LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
       LEFT JOIN searches h ON h.sweep_id = s.sweep_id
      WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const row = rows[0];
  if (!row) throw new NotFoundError('sweep', sweepId);
  return {
    ...row,
    target: { experiment: row.target?.experiment ?? '', registerModel: row.target?.registerModel ?? '' },
  };
}

/** Reads a run with its parameter values as strings, spelled as in the views. @throws NotFoundError */
export async function readMirroredRun(pool: Pool, runId: string): Promise<MirroredRun> {
  const { rows } = await pool.query<MirroredRun>(
    `SELECT r.run_id AS "runId", r.sweep_id AS "sweepId", r.run_index AS "runIndex", r.notes, r.tags, r.state,
            r.state_reason AS "stateReason", r.stage, r.epoch_count AS "epochCount",
            (SELECT json_build_object('number', g.rung, 'stage', g.stage, 'epoch', g.epoch)
               FROM rungs g WHERE g.sweep_id = r.sweep_id AND g.rung = r.rung) AS rung,
            r.paused_rung IS NOT NULL AS "isPausedAtRung",
            coalesce((SELECT d.kind || coalesce(' by ' || nullif(d.rule, ''), '') || ': ' || d.reason FROM decisions d
                       WHERE d.run_id = r.run_id ORDER BY d.decision_id DESC LIMIT 1), '') AS decision,
            r.end_cause AS "endCause", r.reused_run_id AS "reusedRunId", r.repeat_of AS "repeatOfRunId",
            coalesce(u.sampler, '') AS sampler, u.round, r.best_stage AS "bestStage",
            r.best_epoch AS "bestEpoch", s.objective_metric AS "objectiveMetric", r.best_value AS "bestValue",
            r.best_val_loss AS "bestValLoss", r.best_val_accuracy AS "bestValAccuracy",
            (SELECT coalesce(json_agg(json_build_object('name', p.name, 'value',
                      coalesce(p.string_value, p.int_value::text, p.number_value::text, p.bool_value::text))
                      ORDER BY p.name), '[]')
               FROM run_parameters p WHERE p.run_id = r.run_id) AS parameters,
            ${DATASET}, r.start_time IS NOT NULL AS "hasStarted",
            ${ms('coalesce(r.start_time, r.create_time)')} AS "startMs", ${ms('r.end_time')} AS "endMs"
       FROM runs r
       JOIN sweeps s ON s.sweep_id = r.sweep_id
       LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
       LEFT JOIN suggestions u ON u.run_id = r.run_id
      WHERE r.run_id = $1`,
    [runId],
  );
  const row = rows[0];
  if (!row) throw new NotFoundError('run', runId);
  return row;
}

/** Reads the rows that METRICS entries point at, by stage, epoch and name. Rows of a shared head, or of a result that was taken, belong to another run. */
export async function readMirroredPoints(
  pool: Pool,
  runId: string,
  entries: readonly TakenEntry[],
): Promise<MirroredPoint[]> {
  const places = entries.flatMap(({ stage, leaseEpoch, epochs }) =>
    epochs.map((epoch) => ({ stage, leaseEpoch, epoch })),
  );
  const { rows } = await pool.query<MirroredPoint>(
    `SELECT m.stage, m.epoch, m.name, m.value, ${ms('m.create_time')} AS "timeMs"
       FROM (SELECT DISTINCT * FROM unnest($2::text[], $3::int[], $4::int[])) AS e (stage, lease_epoch, epoch)
       JOIN runs r ON r.run_id = $1
       JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
       JOIN epoch_metrics m
         ON m.run_id = ${trainerOf('o', 'e.stage')}
        AND m.stage = e.stage AND m.epoch = e.epoch AND m.lease_epoch = e.lease_epoch
      ORDER BY m.stage, m.epoch, m.name, m.lease_epoch`,
    [
      runId,
      places.map(({ stage }) => stage),
      places.map(({ leaseEpoch }) => leaseEpoch),
      places.map(({ epoch }) => epoch),
    ],
  );
  return rows;
}

/** Reads a run's test result; null when the run was not tested. */
export async function readMirroredTestResult(pool: Pool, runId: string): Promise<MirroredTestResult | null> {
  const { rows } = await pool.query<MirroredTestResult>(
    `SELECT role, accuracy, accuracy_low AS "accuracyLow", accuracy_high AS "accuracyHigh", loss, roc_auc AS "rocAuc",
            macro_f1 AS "macroF1", balanced_accuracy AS "balancedAccuracy",
            image_count AS "imageCount", ${ms('create_time')} AS "timeMs"
       FROM test_results WHERE run_id = $1`,
    [runId],
  );
  return rows[0] ?? null;
}
