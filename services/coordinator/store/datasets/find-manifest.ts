import type { Store } from '../store.ts';

/** Place of the manifest that a task's images are listed in; null before they are indexed, and for a task that does not exist. */
export async function findManifest(store: Store, taskId: string): Promise<string | null> {
  const { rows } = await store.pool.query<{ manifest_uri: string }>(
    `SELECT d.manifest_uri FROM tasks t JOIN sweeps s ON s.sweep_id = t.sweep_id
       JOIN datasets d ON d.dataset_id = s.dataset_id
      WHERE t.task_id = $1`,
    [taskId],
  );
  return rows[0]?.manifest_uri ?? null;
}
