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

/** Returns SQL of whether a run can be the best one (`canBeBest` in services/core/ranking.ts). Repetitions with other seeds are not ranked. */
export function canBeBest(run: string, sweep: string): string {
  return `(${run}.repeat_of IS NULL AND (${rankKey(run, sweep)})[1:2] = '{0,0}')`;
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
    OR ${isEvaluationAwaiting(task)})`;
}

/**
 * Returns SQL of whether an evaluation waits for a training task: for the stage that is retrained for it, or for the head from which that
 * stage is retrained. Neither is part of the search, so that no bound ends it.
 *
 * @param task alias of `tasks`
 */
export function isEvaluationAwaiting(task: string): string {
  return `EXISTS (
    SELECT 1 FROM task_dependencies ed JOIN tasks e ON e.task_id = ed.task_id AND e.state = 'WAITING'
     WHERE ed.depends_on_id = ${task}.task_id
       AND (e.stage = 'EVALUATE'
            OR e.stage = 'FINE_TUNE' AND EXISTS (
              SELECT 1 FROM task_dependencies ld JOIN tasks l ON l.task_id = ld.task_id
               WHERE ld.depends_on_id = e.task_id AND l.stage = 'EVALUATE' AND l.state = 'WAITING')))`;
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
 * Returns SQL of whether the runs of a sweep are compared at rungs, their backbones are screened, its finalists are repeated, or a budget
 * bounds it. Other sweeps have no search to advance.
 *
 * @param sweep alias of `sweeps`
 */
export function isSearching(sweep: string): string {
  return `EXISTS (SELECT 1 FROM searches q WHERE q.sweep_id = ${sweep}.sweep_id
    AND (${sweep}.budget IS NOT NULL OR q.policy -> 'ladder' <> '[]'::jsonb OR q.policy ? 'finalists' OR ${isScreening(sweep)}))`;
}

/**
 * Returns SQL of whether the screen of a sweep is still to be decided.
 *
 * @param sweep alias of `sweeps` or `searches`
 */
export function isScreening(sweep: string): string {
  return `EXISTS (SELECT 1 FROM probes p WHERE p.sweep_id = ${sweep}.sweep_id AND p.kept IS NULL)`;
}

/**
 * Returns SQL of whether the strategy of a sweep asks for rounds of runs, and its search has not ended.
 *
 * @param search alias of `searches`
 */
export function asksForRounds(search: string): string {
  return `(${search}.end_reason IS NULL AND ${search}.policy ? 'rounds')`;
}

/**
 * Returns SQL of whether training can resume from a row of `checkpoints`. A LAST checkpoint's state names the best epoch before it,
 * which is not saved again after a resumption. A LAST whose best was damaged is therefore skipped, so that the epoch is retrained.
 *
 * @param c alias of `checkpoints`
 */
export function isResumable(c: string): string {
  return `(${c}.kind = 'LAST' AND ${c}.state = 'STORED' AND NOT EXISTS (
    SELECT 1 FROM checkpoints lost
     WHERE lost.run_id = ${c}.run_id AND lost.stage = ${c}.stage AND lost.kind = 'BEST' AND lost.damage IS NOT NULL
       AND lost.epoch <= ${c}.epoch
       AND NOT EXISTS (
         SELECT 1 FROM checkpoints kept
          WHERE kept.run_id = ${c}.run_id AND kept.stage = ${c}.stage AND kept.kind = 'BEST' AND kept.state = 'STORED'
            AND kept.epoch BETWEEN lost.epoch AND ${c}.epoch)))`;
}
