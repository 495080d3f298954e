import type { Evidence } from '../../../core/statistics/evidence.ts';
import { trainerOf } from '../run-sql.ts';
import { SWEEP_VALIDATION_COUNT, toEvidence } from './evidence-row.ts';
import type { EvidenceRow } from './evidence-row.ts';
import type { Queryable } from './read-evidence.ts';

/**
 * SQL of the results by image that are stored: of runs at rungs, and of repeated runs, which come to none. The losses are most of the
 * bytes.
 */
export const IMAGE_RESULTS = `
  SELECT e.run_id, g.stage, e.epoch, e.correct, e.losses
    FROM rung_entries e JOIN rungs g ON g.sweep_id = e.sweep_id AND g.rung = e.rung WHERE e.correct IS NOT NULL
  UNION ALL
  SELECT p.run_id, p.stage, p.epoch, p.correct, p.losses FROM repeat_results p WHERE p.correct IS NOT NULL`;

/**
 * Reads which validation images runs of a sweep classified correctly at their best epochs, by run. Those of a shared head, or of a result
 * that was taken, are of the run that trained it. Runs without such results are absent.
 *
 * @param needsLosses false: without the losses of the images
 */
export async function readFinalEvidence(
  db: Queryable,
  sweepId: string,
  runIds: readonly string[],
  needsLosses: boolean,
): Promise<ReadonlyMap<string, Evidence>> {
  if (runIds.length === 0) return new Map();
  const { rows } = await db.query<EvidenceRow & { readonly run_id: string; readonly correct: Buffer }>(
    `SELECT r.run_id, e.correct, CASE WHEN $3 THEN e.losses END AS losses, ${SWEEP_VALIDATION_COUNT} AS image_count
       FROM runs r
       JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
      CROSS JOIN LATERAL (
        SELECT x.correct, x.losses FROM (${IMAGE_RESULTS}) x
         WHERE x.run_id IN (r.run_id, ${trainerOf('o', 'r.best_stage')}) AND x.stage = r.best_stage AND x.epoch = r.best_epoch
         ORDER BY x.run_id = r.run_id DESC LIMIT 1) e
      WHERE r.run_id = ANY($2)`,
    [sweepId, runIds, needsLosses],
  );
  return new Map(
    rows.flatMap((row) => {
      const evidence = toEvidence(row);
      return evidence === null ? [] : [[row.run_id, evidence] as const];
    }),
  );
}
