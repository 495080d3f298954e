/**
 * SQL: whether runs that go on wait for the head that a run trains in a HEAD task. Then the training goes on though the run
 * itself has ended or is told to stop: the head belongs to all who share it.
 *
 * @param run alias of `runs`; @param task alias of `tasks`.
 */
export function isHeadAwaited(run: string, task: string): string {
  return `(${task}.stage = 'HEAD' AND EXISTS (
    SELECT 1 FROM runs f WHERE f.head_run_id = ${run}.run_id AND f.state IN ('QUEUED', 'PAUSED')))`;
}
