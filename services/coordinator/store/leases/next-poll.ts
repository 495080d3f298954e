import type { Store } from '../store.ts';
import { LEASED_TASKS } from '../state-sql.ts';

/**
 * Returns the milliseconds until a slot should poll because of an event that sends no notification: the end of a task's back-off, or the
 * time from which the slot's forgotten lease may be expired. Returns null when there is no such event.
 *
 * @param sinceMs time since the last lease attempt, which has missed a back-off that ended after it; the result is negative then
 */
export async function nextPollMs(
  store: Store,
  trainerId: string,
  slotIndex: number,
  sinceMs: number,
): Promise<number | null> {
  const { rows } = await store.pool.query<{ ms: number | null }>(
    `SELECT (extract(epoch FROM least(
              (SELECT min(t.not_before_time) FROM tasks t WHERE t.state = 'READY' AND t.not_before_time > now() - $4 * interval '1 millisecond'),
              (SELECT min(t.lease_expire_time) - $3 * interval '1 millisecond' FROM tasks t
                WHERE t.trainer_id = $1 AND t.slot_index = $2 AND t.state IN ${LEASED_TASKS})
            ) - now()) * 1000)::float8 AS ms`,
    [trainerId, slotIndex, store.leaseMs / 2, sinceMs],
  );
  return rows[0]?.ms ?? null;
}
