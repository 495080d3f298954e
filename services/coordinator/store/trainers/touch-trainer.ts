import type { Store } from '../store.ts';

/** Updates a trainer's heartbeat time at a long poll, because a trainer without tasks may send nothing else. */
export async function touchTrainer(store: Store, trainerId: string): Promise<void> {
  await store.pool.query(
    `UPDATE trainers SET heartbeat_time = now(), state = CASE WHEN drain_reason IS NOT NULL THEN 'DRAINING' WHEN state = 'LOST' THEN 'READY' ELSE state END
      WHERE trainer_id = $1`,
    [trainerId],
  );
}
