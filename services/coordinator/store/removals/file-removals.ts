import { LIVE_TASKS } from '../state-sql.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Leaves files to be removed after the commit. Their rows go in the same transaction, so a crash loses neither. */
export async function addRemovals(tx: StoreTransaction, uris: readonly string[]): Promise<void> {
  await tx.query('INSERT INTO file_removals (uri) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING', [uris]);
}

/**
 * Keeps files that are needed again under their names. Waits for a removal that is under way: the file does not exist then, and is
 * written like one that never existed.
 */
export async function cancelRemovals(tx: StoreTransaction, uris: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM file_removals WHERE uri = ANY($1)', [uris]);
}

/**
 * SQL of whether a file may be removed now. Manifests wait until no INDEX is live: its worker writes the manifest before any row names it.
 */
const MAY_GO = `(uri NOT LIKE 'datasets/%' OR NOT EXISTS (SELECT 1 FROM tasks WHERE stage = 'INDEX' AND state IN ${LIVE_TASKS}))`;

/**
 * Lists files that may be removed, by name.
 *
 * @param after the last one of the previous list; null: from the beginning
 */
export async function listRemovals(store: Store, after: string | null, limit: number): Promise<string[]> {
  const { rows } = await store.pool.query<{ uri: string }>(
    `SELECT uri FROM file_removals
      WHERE uri > coalesce($1, '')
        AND ${MAY_GO}
      ORDER BY uri LIMIT $2`,
    [after, limit],
  );
  return rows.map(({ uri }) => uri);
}

/**
 * Removes a file that may be removed, with its row locked, so that no process begins to use the name meanwhile. An INDEX may have begun
 * since the file was listed.
 */
export async function carryOutRemoval(store: Store, uri: string, remove: () => Promise<void>): Promise<void> {
  await inTransaction(store, async (tx) => {
    const { rowCount } = await tx.query(`SELECT 1 FROM file_removals WHERE uri = $1 AND ${MAY_GO} FOR UPDATE`, [uri]);
    if (rowCount === 0) return;
    await tx.during(remove());
    await tx.query('DELETE FROM file_removals WHERE uri = $1', [uri]);
  });
}
