import { withVaried } from '../../../core/samplers/sample-runs.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { Parameters } from '../../../core/sweep/sweep-spec.ts';
import type { Stage } from '../../../core/task.ts';
import type { EndCause, RunRecord } from '../../../core/records/run.ts';

/** A row of `runs` with derived columns. Read by raw `pg`, because Prisma's JSON protocol has no NaN. */
export interface RunRow {
  readonly run_id: string;
  readonly sweep_id: string;
  readonly run_index: number;
  readonly parameters: Parameters;
  readonly varied_names: string[];
  readonly state: RunState;
  readonly state_reason: string;
  readonly stage: Stage;
  readonly epoch_count: number;
  readonly epoch_limit: number;
  readonly best_value: number | null;
  readonly best_stage: Stage | null;
  readonly best_epoch: number | null;
  readonly best_val_loss: number | null;
  readonly best_val_accuracy: number | null;
  readonly last_value: number | null;
  readonly attempt_count: number;
  /** A bigint, which `pg` returns as a string. */
  readonly peak_memory_bytes: string | null;
  readonly head_run_id: string | null;
  readonly rung: number | null;
  readonly paused_rung: number | null;
  readonly end_cause: EndCause | null;
  readonly reused_run_id: string | null;
  /** Bigints, which `pg` returns as strings. */
  readonly model_bytes: string | null;
  readonly parameter_count: string | null;
  readonly flops: string | null;
  readonly repeat_of: string | null;
  /** Columns of `run_scores`; null: the run was not repeated. */
  readonly scored: {
    readonly score: number | null;
    readonly standard_error: number | null;
    readonly measurement_count: number;
  } | null;
  readonly sampler: string;
  readonly round: number | null;
  readonly round_position: number | null;
  readonly notes: string;
  readonly tags: string[];
  readonly create_time: Date;
  readonly start_time: Date | null;
  readonly end_time: Date | null;
}

/** Columns of a `RunRow` in `FROM runs r JOIN sweeps s`. */
export const RUN_COLUMNS = `
  r.run_id, r.sweep_id, r.run_index, r.parameters, s.varied_names, r.state, r.state_reason, r.stage, r.epoch_count,
  r.epoch_limit, r.best_value, r.best_stage, r.best_epoch, r.best_val_loss, r.best_val_accuracy, r.last_value,
  (SELECT count(*)::int FROM task_runs tr JOIN attempts a ON a.task_id = tr.task_id WHERE tr.run_id = r.run_id) AS attempt_count,
  r.peak_memory_bytes, r.head_run_id, r.rung, r.paused_rung, r.end_cause, r.reused_run_id, r.repeat_of,
  (SELECT to_jsonb(q) FROM run_scores q WHERE q.run_id = r.run_id) AS scored,
  r.model_bytes, r.parameter_count, r.flops,
  coalesce((SELECT u.sampler FROM suggestions u WHERE u.run_id = r.run_id), '') AS sampler,
  (SELECT u.round FROM suggestions u WHERE u.run_id = r.run_id) AS round,
  (SELECT u.position FROM suggestions u WHERE u.run_id = r.run_id) AS round_position,
  r.notes, r.tags, r.create_time, r.start_time, r.end_time`;

export function toRun(row: RunRow): RunRecord {
  return {
    runId: row.run_id,
    sweepId: row.sweep_id,
    runIndex: row.run_index,
    parameters: withVaried(row.parameters, row.varied_names),
    variedNames: row.varied_names,
    state: row.state,
    stateReason: row.state_reason,
    stage: row.stage,
    epochCount: row.epoch_count,
    epochLimit: row.epoch_limit,
    bestValue: row.best_value,
    bestStage: row.best_stage,
    bestEpoch: row.best_epoch ?? 0,
    bestValLoss: row.best_val_loss,
    bestValAccuracy: row.best_val_accuracy,
    lastValue: row.last_value,
    attemptCount: row.attempt_count,
    peakMemoryBytes: toNumber(row.peak_memory_bytes),
    headRunId: row.head_run_id,
    rung: row.rung,
    pausedRung: row.paused_rung,
    endCause: row.end_cause,
    reusedRunId: row.reused_run_id,
    modelBytes: toNumber(row.model_bytes),
    parameterCount: toNumber(row.parameter_count),
    flops: toNumber(row.flops),
    repeatOfRunId: row.repeat_of,
    score: row.scored?.score ?? null,
    scoreStandardError: row.scored?.standard_error ?? null,
    measurementCount: row.scored?.measurement_count ?? 0,
    sampler: row.sampler,
    round: row.round,
    roundPosition: row.round_position,
    notes: row.notes,
    tags: row.tags,
    createTime: row.create_time,
    startTime: row.start_time,
    endTime: row.end_time,
  };
}

function toNumber(bigint: string | null): number | null {
  return bigint === null ? null : Number(bigint);
}
