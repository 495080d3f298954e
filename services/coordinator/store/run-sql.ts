/**
 * SQL: the key that orders the runs of a sweep, the best first (`compareRuns` in services/core/ranking.ts).
 *
 * @param run alias of `runs`; @param sweep alias of `sweeps`.
 */
export function rankKey(run: string, sweep: string): string {
  return (
    `run_rank_key(${run}.state, ${sweep}.objective_metric, ${sweep}.objective_goal, ${run}.best_value, ` +
    `${run}.best_val_loss, ${run}.best_val_accuracy, ${run}.run_index)`
  );
}

/** SQL: whether a run can be the best one (`canBeBest`). */
export function canBeBest(run: string, sweep: string): string {
  return `(${rankKey(run, sweep)})[1:2] = '{0,0}'`;
}
