import type { Store } from '../store.ts';
import { LEASED_TASKS, LIVE_TASKS } from '../state-sql.ts';

/**
 * Returns those of these checkpoint files, parts of feature sets and temporary files that nothing refers to or can refer to later: no
 * checkpoint that is not DELETED has the URI, no task of the run in the URI is leased, and no pending task computes the feature set in
 * it. The result stays valid, because the name of a checkpoint contains the lease epoch, so a later lease registers other names.
 *
 * @param uris `checkpoints/<runId>/<name>`, `features/<key>.parts/<name>`, or any other uri of a temporary file.
 */
export async function findOrphans(store: Store, uris: readonly string[]): Promise<string[]> {
  if (uris.length === 0) return [];
  const { rows } = await store.pool.query<{ uri: string }>(
    `SELECT f.uri
       FROM unnest($1::text[]) AS f (uri)
      WHERE NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.uri = f.uri AND c.state <> 'DELETED')
        AND NOT EXISTS (SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
                         WHERE tr.run_id = split_part(f.uri, '/', 2) AND t.state IN ${LEASED_TASKS})
        AND NOT EXISTS (SELECT 1 FROM task_feature_sets u JOIN tasks t ON t.task_id = u.task_id
                         WHERE u.feature_key = split_part(split_part(f.uri, '/', 2), '.', 1)
                           AND t.stage = 'FEATURES' AND t.state IN ${LIVE_TASKS})
      ORDER BY f.uri`,
    [[...uris]],
  );
  return rows.map(({ uri }) => uri);
}
