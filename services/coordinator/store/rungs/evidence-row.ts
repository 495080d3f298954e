import type { Evidence } from '../../../core/statistics/evidence.ts';

/** The results by image of an entry, as they are stored. */
export interface EvidenceRow {
  /** Null: the trainer sent none. */
  readonly correct: Buffer | null;
  readonly losses: Buffer | null;
  /** Number of validation images. */
  readonly image_count: number;
}

/** Returns SQL of the number of validation images of a data set; 0 if there is none. @param datasetId SQL of its identity */
export function validationCount(datasetId: string): string {
  return `(SELECT coalesce(sum((c ->> 'imageCount')::int), 0)::int
             FROM datasets d, jsonb_array_elements(d.class_counts) c
            WHERE d.dataset_id = ${datasetId} AND c ->> 'split' = 'validation')`;
}

/** SQL of the number of validation images of the sweep $1. */
export const SWEEP_VALIDATION_COUNT = validationCount('(SELECT dataset_id FROM sweeps WHERE sweep_id = $1)');

export function toEvidence({ correct, losses, image_count: count }: EvidenceRow): Evidence | null {
  if (correct === null) return null;
  // A copy, because numbers must lie at multiples of their size.
  return { correct, count, losses: losses && new Float32Array(new Uint8Array(losses).buffer) };
}
