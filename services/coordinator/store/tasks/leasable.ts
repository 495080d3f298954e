import { LEASED_TASKS, PENDING_TASKS } from '../state-sql.ts';

/** Stages whose results serve all sweeps with the same images: a sweep can wait for such a task of another one. */
const SHARED_STAGES = `('INDEX', 'FEATURES')`;

/** Returns SQL of whether a task may be leased now by a slot that suits it. @param task alias of its row */
export function isLeasable(task: string): string {
  return `${task}.state = 'READY' AND ${task}.not_before_time <= now()
          AND (${task}.stage <> 'FEATURES' OR NOT EXISTS (${otherMakers(task)}))`;
}

/**
 * Returns SQL of whether a trainer executes the stage of a task: during an upgrade, some trainers don't know all stages.
 *
 * @param task alias of its row; @param trainerId SQL of the trainer's identity
 */
export function isExecutedBy(task: string, trainerId: string): string {
  return `EXISTS (SELECT 1 FROM trainers x WHERE x.trainer_id = ${trainerId} AND ${task}.stage = ANY(x.stages))`;
}

/** Returns SQL of whether a sweep may lease one more task. @param sweep alias of its row */
export function hasPlace(sweep: string): string {
  return `(${sweep}.max_parallel_slots IS NULL OR ${sweep}.max_parallel_slots > ${leasedCount(sweep)})`;
}

/**
 * Returns SQL of the number of slots that work on a sweep. Its tasks that other sweeps wait for are not counted: they are leased on behalf
 * of those sweeps, also at the sweep's own maximum.
 *
 * @param sweep alias of its row
 */
export function leasedCount(sweep: string): string {
  return `(
    SELECT count(*) FROM tasks held
     WHERE held.sweep_id = ${sweep}.sweep_id AND held.state IN ${LEASED_TASKS}
       AND NOT (held.stage IN ${SHARED_STAGES} AND EXISTS (
         SELECT 1 FROM task_dependencies hd
           JOIN tasks hw ON hw.task_id = hd.task_id AND hw.state = 'WAITING' AND hw.sweep_id <> held.sweep_id
           JOIN sweeps hs ON hs.sweep_id = hw.sweep_id AND hs.state = 'ACTIVE'
          WHERE hd.depends_on_id = held.task_id)))`;
}

/**
 * Returns SQL of whether a sweep waits for a ready task of another active sweep, which it then leases as if it were its own: by its own
 * priority, in its own place. The few ready tasks of these stages have an index of their own.
 *
 * @param task alias of the task's row; @param sweep alias of the waiting sweep's row
 */
export function isAwaitedBy(task: string, sweep: string): string {
  return `${task}.state = 'READY' AND ${task}.stage IN ${SHARED_STAGES} AND ${task}.sweep_id <> ${sweep}.sweep_id
          AND EXISTS (SELECT 1 FROM sweeps maker WHERE maker.sweep_id = ${task}.sweep_id AND maker.state = 'ACTIVE')
          AND EXISTS (SELECT 1 FROM task_dependencies ad
                        JOIN tasks aw ON aw.task_id = ad.task_id AND aw.state = 'WAITING' AND aw.sweep_id = ${sweep}.sweep_id
                       WHERE ad.depends_on_id = ${task}.task_id)`;
}

/**
 * Returns SQL of other tasks that compute a set of a FEATURES task now, or will. One set has two such tasks after a sweep was paused,
 * another took over, and the first was resumed. A set names its one maker, always the task that was planned last. So of several ready
 * tasks only that one is leased, and no two wait for each other.
 *
 * @param task alias of its row
 */
function otherMakers(task: string): string {
  return `
  SELECT 1
    FROM task_feature_sets own
    JOIN feature_sets f ON f.feature_key = own.feature_key AND f.state <> 'COMPUTED'
    JOIN task_feature_sets theirs ON theirs.feature_key = own.feature_key AND theirs.task_id <> own.task_id
    JOIN tasks o ON o.task_id = theirs.task_id AND o.stage = 'FEATURES'
    JOIN sweeps os ON os.sweep_id = o.sweep_id
   WHERE own.task_id = ${task}.task_id
     AND (o.state IN ${LEASED_TASKS}
          OR (o.state IN ${PENDING_TASKS} AND os.state = 'ACTIVE' AND f.computed_by_task_id = o.task_id))`;
}
