import type { Store } from '../store.ts';
import { LEASED_TASKS } from '../state-sql.ts';

/**
 * Milliseconds until the passing of time alone may give a slot something to do, of which nobody is notified: the end of a
 * task's back-off, or the moment from which the slot's forgotten lease may be taken back. Null when time changes nothing.
 *
 * @param sinceMs time since the last lease was tried: a back-off that ended after it was missed by it, and the answer is then negative.
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
