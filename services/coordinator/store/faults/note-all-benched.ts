import type { Store } from '../store.ts';

/**
 * Says in the state reason of sweeps with ready tasks that nobody takes them: every slot of every living trainer is benched.
 * Asked when a slot found nothing to do; gone again when a task is leased (`tasks/lease-task.ts`).
 */
export async function noteAllBenched(store: Store): Promise<void> {
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
