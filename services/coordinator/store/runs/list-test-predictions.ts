import type { TestPrediction } from '../../../core/task.ts';
import type { Page } from '../page.ts';
import type { Store } from '../store.ts';

export interface PredictionKey {
  readonly path: string;
}

/** Target size of a page: far below the 4 MiB limit of a message, for any number of classes. */
const PAGE_BYTES = 1024 * 1024;
/** Limit of a page whose rows are larger than estimated. */
const MAX_BYTES = 2 * PAGE_BYTES;
/** Size of a row without its probabilities: identity, path, labels. */
const ROW_BYTES = 400;

/** Lists the predictions of a run's tested checkpoint, by path. A page of large rows has fewer of them than `limit`. */
export async function listTestPredictions(
  store: Store,
  runId: string,
  after: PredictionKey | null,
  limit: number,
): Promise<Page<TestPrediction, PredictionKey>> {
  const pageLimit = Math.min(limit, await rowsPerPage(store, runId));
  const { rows } = await store.pool.query<{
    path: string;
    label: number;
    predicted_label: number;
    probabilities: number[];
  }>(
    `SELECT path, label, predicted_label, probabilities FROM test_predictions
      WHERE run_id = $1 AND ($2::text IS NULL OR path > $2) ORDER BY path LIMIT $3`,
    [runId, after?.path ?? null, pageLimit + 1],
  );
  const items = rows.slice(0, countFitting(rows, pageLimit)).map((row) => ({
    path: row.path,
    label: row.label,
    predictedLabel: row.predicted_label,
    probabilities: row.probabilities,
  }));
  const last = items.at(-1);
  return { items, next: rows.length > items.length && last ? { path: last.path } : null };
}

/** Counts the leading rows that fit into a page; at least one. */
function countFitting(
  rows: readonly { readonly path: string; readonly probabilities: readonly number[] }[],
  limit: number,
): number {
  let bytes = 0;
  for (const [index, { path, probabilities }] of rows.slice(0, limit).entries()) {
    bytes += ROW_BYTES + Buffer.byteLength(path) + 8 * probabilities.length;
    if (bytes > MAX_BYTES && index > 0) return index;
  }
  return limit;
}

async function rowsPerPage(store: Store, runId: string): Promise<number> {
  const { rows } = await store.pool.query<{ class_count: number }>(
    'SELECT count(*)::int AS class_count FROM test_class_results WHERE run_id = $1',
    [runId],
  );
  return Math.max(1, Math.floor(PAGE_BYTES / (ROW_BYTES + 8 * (rows[0]?.class_count ?? 0))));
}
