import type { Store } from '../store.ts';

/**
 * Says in the sweep's state reason why a task of it stays where it is: no slot of a living trainer has the memory. Asked when
 * a slot found nothing to do; a slot whose memory is not known (0) may be given anything. Gone again when the task is leased
 * (`lease-task.ts`).
 */
export async function noteTooLarge(store: Store): Promise<void> {
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
