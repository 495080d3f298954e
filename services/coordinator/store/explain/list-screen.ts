import type { ScreenEntryRecord } from '../../../core/records/explanation.ts';
import type { Store } from '../store.ts';

/** Lists the candidates of a sweep's screen by place, those that have none last; empty where the sweep has no screen. */
export async function listScreen({ pool }: Pick<Store, 'pool'>, sweepId: string): Promise<ScreenEntryRecord[]> {
  const { rows } = await pool.query<ScreenEntryRecord>(
    `SELECT backbone, weights, coalesce(cut, '') AS cut, image_size AS "imageSize", pooling,
            train_image_count + validation_image_count AS "imageCount", correct_count AS "correctCount", place,
            best_only_count AS "bestOnlyCount", this_only_count AS "thisOnlyCount", p_value AS "pValue", kept,
            is_baseline AS "isBaseline", log_me AS "logMe", latency_seconds AS "latencySeconds",
            feature_seconds AS "featureSeconds", seconds, reason
       FROM probes WHERE sweep_id = $1 ORDER BY place NULLS LAST, correct_count DESC NULLS LAST, position`,
    [sweepId],
  );
  return rows;
}
