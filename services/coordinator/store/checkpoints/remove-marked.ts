import type { Store } from '../store.ts';

export interface MarkedCheckpoint {
  readonly checkpointId: string;
  readonly uri: string;
}

/** Lists checkpoints whose files are to be removed, oldest first. */
export async function listMarked(store: Store, limit: number): Promise<MarkedCheckpoint[]> {
  const { rows } = await store.pool.query<{ checkpoint_id: string; uri: string }>(
    `SELECT checkpoint_id, uri FROM checkpoints WHERE state = 'DELETING' ORDER BY create_time LIMIT $1`,
    [limit],
  );
  return rows.map((row) => ({ checkpointId: row.checkpoint_id, uri: row.uri }));
}

/** Records that the file was removed, the second phase of retention. The row is kept as a record. */
export async function recordRemoved(store: Store, checkpointId: string): Promise<void> {
  await store.pool.query(
    `UPDATE checkpoints SET state = 'DELETED', delete_time = now() WHERE checkpoint_id = $1 AND state = 'DELETING'`,
    [checkpointId],
  );
}
