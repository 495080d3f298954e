import type { Store } from '../store.ts';

export interface MarkedCheckpoint {
  readonly checkpointId: string;
  readonly uri: string;
}

/** Checkpoints whose files are to be removed, oldest first. */
export async function listMarked(store: Store, limit: number): Promise<MarkedCheckpoint[]> {
  const { rows } = await store.pool.query<{ checkpoint_id: string; uri: string }>(
    `SELECT checkpoint_id, uri FROM checkpoints WHERE state = 'DELETING' ORDER BY create_time LIMIT $1`,
    [limit],
  );
  return rows.map((row) => ({ checkpointId: row.checkpoint_id, uri: row.uri }));
}

/** Second phase: the file is gone. The row stays, as a record of what there was. */
export async function recordRemoved(store: Store, checkpointId: string): Promise<void> {
  await store.pool.query(
    `UPDATE checkpoints SET state = 'DELETED', delete_time = now() WHERE checkpoint_id = $1 AND state = 'DELETING'`,
    [checkpointId],
  );
}
