import { IllegalStateError, NotFoundError } from '../../../core/errors.ts';
import type { Store } from '../store.ts';

/**
 * Clears a trainer's secret, its refusals and its drain reason: the next process that registers with its identity owns it. The record of
 * its work is kept.
 *
 * @throws NotFoundError; IllegalStateError for a trainer that is neither LOST nor drained by the coordinator.
 */
export async function forgetTrainer(store: Store, trainerId: string): Promise<void> {
  const { rowCount } = await store.pool.query(
    `UPDATE trainers SET secret_hash = NULL, refusal_count = 0, drain_reason = NULL, state = 'LOST'
      WHERE trainer_id = $1 AND (state = 'LOST' OR drain_reason IS NOT NULL)`,
    [trainerId],
  );
  if (rowCount === 1) return;
  const { rows } = await store.pool.query<{ state: string }>('SELECT state FROM trainers WHERE trainer_id = $1', [
    trainerId,
  ]);
  if (!rows[0]) throw new NotFoundError('trainer', trainerId);
  throw new IllegalStateError(`trainer ${trainerId}`, rows[0].state, 'forget', ['LOST', 'drained for its refusals']);
}
