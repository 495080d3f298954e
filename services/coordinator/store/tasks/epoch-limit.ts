/**
 * SQL of the epochs that a run is to train in a task's stage, from the run's parameters: every default is in them. `runs.epoch_limit`
 * is of the stage that the run is in, which is another one where it has ended and its head is still awaited.
 *
 * @param run, task names of the rows
 */
export function epochLimitOf(run: string, task: string): string {
  const name = `CASE ${task}.stage WHEN 'FINE_TUNE' THEN 'fine_tune.epochs' ELSE 'epochs' END`;
  return `coalesce((${run}.parameters ->> ${name})::float8::int, 2147483647)`;
}
