import { IDLE_RUNS } from './state-sql.ts';

/**
 * Returns SQL of the key that orders the runs of a sweep, the best first (`compareRuns` in services/core/ranking.ts).
 *
 * @param run alias of `runs`; @param sweep alias of `sweeps`.
 */
export function rankKey(run: string, sweep: string): string {
  return (
    `run_rank_key(${run}.state, ${sweep}.objective_metric, ${sweep}.objective_goal, ${run}.best_value, ` +
    `${run}.best_val_loss, ${run}.best_val_accuracy, ${run}.run_index)`
  );
}

/** Returns SQL of whether a run can be the best one (`canBeBest` in services/core/ranking.ts). */
export function canBeBest(run: string, sweep: string): string {
  return `(${rankKey(run, sweep)})[1:2] = '{0,0}'`;
}

/**
 * Returns SQL of the run that trained a stage of a run: its head may be that of another one.
 *
 * @param run alias of `runs`; @param stage SQL of the stage
 */
export function trainerOf(run: string, stage: string): string {
  return `CASE ${stage} WHEN 'HEAD' THEN coalesce(${run}.head_run_id, ${run}.run_id) ELSE ${run}.run_id END`;
}

/**
 * Returns SQL of whether others wait for the result of a run's training task. The training then continues though the run itself has
 * ended or is stopping. Runs that share a head wait for it: it belongs to all of them. An evaluation waits for a stage that is
 * retrained because its checkpoint was lost or damaged.
 *
 * @param run alias of `runs`; @param task alias of `tasks`.
 */
export function isHeadAwaited(run: string, task: string): string {
  return `(${task}.stage = 'HEAD' AND EXISTS (
    SELECT 1 FROM runs f WHERE f.head_run_id = ${run}.run_id AND f.state IN ${IDLE_RUNS})
    OR EXISTS (SELECT 1 FROM task_dependencies ed JOIN tasks e ON e.task_id = ed.task_id
                WHERE ed.depends_on_id = ${task}.task_id AND e.stage = 'EVALUATE' AND e.state = 'WAITING'))`;
}

/**
 * Returns SQL of the epochs that a run is to train in a task's stage, from the run's parameters, which include these.
 * `runs.epoch_limit` belongs to the run's current stage, which differs from the task's when the run has ended and its head is awaited.
 *
 * @param run, task names of the rows
 */
export function epochLimitSql(run: string, task: string): string {
  const name = `CASE ${task}.stage WHEN 'FINE_TUNE' THEN 'fine_tune.epochs' ELSE 'epochs' END`;
  return `coalesce((${run}.parameters ->> ${name})::float8::int, 2147483647)`;
}

/**
 * Returns SQL of whether the runs of a sweep are compared at rungs, or a budget bounds it. Other sweeps have no search to advance.
 *
 * @param sweep alias of `sweeps`
 */
export function isSearching(sweep: string): string {
  return `EXISTS (SELECT 1 FROM searches q WHERE q.sweep_id = ${sweep}.sweep_id
    AND (${sweep}.budget IS NOT NULL OR q.policy -> 'ladder' <> '[]'::jsonb))`;
}
