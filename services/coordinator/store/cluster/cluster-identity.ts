import type { Store } from '../store.ts';

export interface ClusterIdentity {
  /** A UUID. */
  readonly clusterId: string;
  /** Time at which the cluster marked its artifact store; null: never. */
  readonly storeMarkTime: Date | null;
}

/** Returns the identity of the cluster that owns the database; it is created at the first call. */
export async function readClusterIdentity({ pool }: Pick<Store, 'pool'>): Promise<ClusterIdentity> {
  await pool.query('INSERT INTO cluster (cluster_id) VALUES (gen_random_uuid()::text) ON CONFLICT DO NOTHING');
  const { rows } = await pool.query<{ cluster_id: string; store_mark_time: Date | null }>(
    'SELECT cluster_id, store_mark_time FROM cluster',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('The table cluster has lost its row.');
  return { clusterId: row.cluster_id, storeMarkTime: row.store_mark_time };
}

/** Records that the artifact store has the cluster's marker. */
export async function recordStoreMark({ pool }: Pick<Store, 'pool'>): Promise<void> {
  await pool.query('UPDATE cluster SET store_mark_time = now() WHERE store_mark_time IS NULL');
}

/** Returns URIs that must exist in the artifact store, the latest of each kind. @param limit most URIs of each kind */
export async function sampleStoredUris({ pool }: Pick<Store, 'pool'>, limit: number): Promise<readonly string[]> {
  const { rows } = await pool.query<{ uri: string }>(
    `(SELECT uri FROM checkpoints WHERE state = 'STORED' ORDER BY create_time DESC LIMIT $1) UNION ALL
     (SELECT manifest_uri FROM datasets ORDER BY create_time DESC LIMIT $1) UNION ALL
     (SELECT uri FROM feature_sets WHERE state = 'COMPUTED' AND uri IS NOT NULL ORDER BY create_time DESC LIMIT $1)`,
    [limit],
  );
  return rows.map(({ uri }) => uri);
}
