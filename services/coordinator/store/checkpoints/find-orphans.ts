import type { Store } from '../store.ts';
import { LEASED_TASKS, LIVE_TASKS } from '../state-sql.ts';

/**
 * Which of these checkpoint files, parts of feature sets and temporary files nothing refers to and nothing can refer to any more: no checkpoint has
 * the uri (a DELETED one does not count), no task of the run in the uri is leased, and no task is to make the feature set in it. The name of a checkpoint has the lease
 * epoch in it, so a later lease registers other names, and what is true now stays true.
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
