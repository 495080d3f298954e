import type { Store } from '../store.ts';

/** Marks trainers without a heartbeat for `silentMs` as LOST, by the database's clock. @returns their identities */
export async function markLostTrainers(store: Store, silentMs: number): Promise<string[]> {
  const { rows } = await store.pool.query<{ trainer_id: string }>(
    `UPDATE trainers SET state = 'LOST'
      WHERE state <> 'LOST' AND heartbeat_time < now() - $1 * interval '1 millisecond'
      RETURNING trainer_id`,
    [silentMs],
  );
  return rows.map(({ trainer_id }) => trainer_id);
}
