/**
 * SQL: whether others wait for what a run's training task makes, so that the training goes on though the run itself has ended or
 * is told to stop. Runs that share a head wait for it: it belongs to all of them. An evaluation waits for a stage that is
 * trained again because its checkpoint was lost or damaged.
 *
 * @param run alias of `runs`; @param task alias of `tasks`.
 */
export function isHeadAwaited(run: string, task: string): string {
  return `(${task}.stage = 'HEAD' AND EXISTS (
    SELECT 1 FROM runs f WHERE f.head_run_id = ${run}.run_id AND f.state IN ('QUEUED', 'PAUSED'))
    OR EXISTS (SELECT 1 FROM task_dependencies ed JOIN tasks e ON e.task_id = ed.task_id
                WHERE ed.depends_on_id = ${task}.task_id AND e.stage = 'EVALUATE' AND e.state = 'WAITING'))`;
}
