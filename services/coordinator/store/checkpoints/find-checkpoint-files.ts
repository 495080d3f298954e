import type { Store } from '../store.ts';

/** The location of a checkpoint's file, and the digest and size that it must have. */
export interface CheckpointFile {
  readonly checkpointId: string;
  readonly uri: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Returns the files of these checkpoints as they were registered; unknown identities are omitted. */
export async function findCheckpointFiles(store: Store, checkpointIds: readonly string[]): Promise<CheckpointFile[]> {
  const { rows } = await store.pool.query<{ checkpoint_id: string; uri: string; sha256: string; size_bytes: string }>(
    'SELECT checkpoint_id, uri, sha256, size_bytes::text FROM checkpoints WHERE checkpoint_id = ANY($1) ORDER BY checkpoint_id',
    [checkpointIds],
  );
  return rows.map((row) => ({
    checkpointId: row.checkpoint_id,
    uri: row.uri,
    sha256: row.sha256,
    sizeBytes: Number(row.size_bytes),
  }));
}
