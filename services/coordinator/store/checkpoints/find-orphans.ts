import type { Store } from '../store.ts';

/**
 * Which of these checkpoint files and temporary files nothing refers to and nothing can refer to any more: no checkpoint has
 * the uri (a DELETED one does not count), and no task of the run in the uri is leased. The name of a checkpoint has the lease
 * epoch in it, so a later lease registers other names, and what is true now stays true.
 *
 * @param uris `checkpoints/<runId>/<name>`, or any other uri of a temporary file.
 */
export async function findOrphans(store: Store, uris: readonly string[]): Promise<string[]> {
  if (uris.length === 0) return [];
  const { rows } = await store.pool.query<{ uri: string }>(
    `SELECT f.uri
       FROM unnest($1::text[]) AS f (uri)
      WHERE NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.uri = f.uri AND c.state <> 'DELETED')
        AND NOT EXISTS (SELECT 1 FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id
                         WHERE tr.run_id = split_part(f.uri, '/', 2) AND t.state IN ('LEASED', 'RUNNING'))
      ORDER BY f.uri`,
    [[...uris]],
  );
  return rows.map(({ uri }) => uri);
}
