import type { Store } from '../store.ts';

/**
 * Records in the state reason of sweeps why their ready tasks wait for a slot. Called when a slot found nothing to lease; the next lease of
 * the sweep clears the reason (`lease-task.ts`).
 */
export async function recordWaitReasons(store: Store): Promise<void> {
  await recordTooLarge(store);
  await recordAllBenched(store);
  await recordUnknownStage(store);
}

/**
 * Records that a task waits because no slot of a live trainer has enough memory. A slot of unknown memory (0) may lease any task.
 */
async function recordTooLarge(store: Store): Promise<void> {
  await store.pool.query(
    `WITH largest AS (
       SELECT s.trainer_id, s.slot_index, s.memory_bytes
         FROM slots s JOIN trainers t USING (trainer_id)
        WHERE t.state = 'READY' AND s.bench_reason = ''
        ORDER BY s.memory_bytes = 0 DESC, s.memory_bytes DESC, s.trainer_id, s.slot_index LIMIT 1
     ), too_large AS (
       SELECT DISTINCT ON (t.sweep_id) t.sweep_id,
              format('task %s (%s) needs about %s GB, but the largest slot (%s of trainer %s) has %s GB: start a trainer with '
                     'more memory, or cancel the sweep and submit it with a smaller batch_size or image_size',
                     t.task_id, t.stage, round(t.required_memory_bytes / 1e9, 1), l.slot_index, l.trainer_id,
                     round(l.memory_bytes / 1e9, 1)) AS reason
         FROM tasks t CROSS JOIN largest l
        WHERE t.state = 'READY' AND l.memory_bytes > 0 AND t.required_memory_bytes > l.memory_bytes
        ORDER BY t.sweep_id, t.position, t.task_id
     )
     UPDATE sweeps s SET state_reason = w.reason
       FROM too_large w
      WHERE s.sweep_id = w.sweep_id AND s.state = 'ACTIVE' AND s.state_reason <> w.reason`,
  );
}

/**
 * Records that ready tasks wait because every slot of every live trainer is benched.
 */
async function recordAllBenched(store: Store): Promise<void> {
  await store.pool.query(
    `WITH living AS (
       SELECT s.trainer_id, t.hostname, s.slot_index, s.bench_reason FROM slots s JOIN trainers t USING (trainer_id)
        WHERE t.state = 'READY'
     ), benched AS (
       SELECT string_agg(DISTINCT format('%s (%s): %s', trainer_id, hostname, bench_reason), E'\\n') AS reasons
         FROM living HAVING count(*) > 0 AND bool_and(bench_reason <> '')
     )
     UPDATE sweeps s SET state_reason = 'waits: every trainer is benched. ' || b.reasons
       FROM benched b
      WHERE s.state = 'ACTIVE' AND s.state_reason <> 'waits: every trainer is benched. ' || b.reasons
        AND EXISTS (SELECT 1 FROM tasks t WHERE t.sweep_id = s.sweep_id AND t.state = 'READY')`,
  );
}

/**
 * Records that a ready task waits because no live trainer executes its stage: all are of earlier versions.
 */
async function recordUnknownStage(store: Store): Promise<void> {
  await store.pool.query(
    `WITH unknown AS (
       SELECT DISTINCT ON (t.sweep_id) t.sweep_id,
              format('waits: no trainer executes %s tasks, because all are of an earlier version (%s). Update one.', t.stage,
                     (SELECT string_agg(DISTINCT n.version, ', ') FROM trainers n WHERE n.state = 'READY')) AS reason
         FROM tasks t
        WHERE t.state = 'READY' AND EXISTS (SELECT 1 FROM trainers n WHERE n.state = 'READY')
          AND NOT EXISTS (SELECT 1 FROM trainers n WHERE n.state = 'READY' AND t.stage = ANY(n.stages))
        ORDER BY t.sweep_id, t.position, t.task_id
     )
     UPDATE sweeps s SET state_reason = u.reason
       FROM unknown u
      WHERE s.sweep_id = u.sweep_id AND s.state = 'ACTIVE' AND s.state_reason <> u.reason`,
  );
}
