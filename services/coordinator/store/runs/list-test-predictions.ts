import type { TestPrediction } from '../../../core/task.ts';
import type { Page } from '../records.ts';
import type { Store } from '../store.ts';

export interface PredictionKey {
  readonly path: string;
}

/** What the run's best checkpoint says of each test image, by path. */
export async function listTestPredictions(
  store: Store,
  runId: string,
  after: PredictionKey | null,
  limit: number,
): Promise<Page<TestPrediction, PredictionKey>> {
  const { rows } = await store.pool.query<{
    path: string;
    label: number;
    predicted_label: number;
    probabilities: number[];
  }>(
    `SELECT path, label, predicted_label, probabilities FROM test_predictions
      WHERE run_id = $1 AND ($2::text IS NULL OR path > $2) ORDER BY path LIMIT $3`,
    [runId, after?.path ?? null, limit + 1],
  );
  const items = rows.slice(0, limit).map((row) => ({
    path: row.path,
    label: row.label,
    predictedLabel: row.predicted_label,
    probabilities: row.probabilities,
  }));
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? { path: last.path } : null };
}
