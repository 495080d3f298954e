import { countImages } from '../../../core/dataset.ts';
import type { ClassCount } from '../../../core/dataset.ts';
import { textArray } from '../../../platform/db/binary-array.ts';
import type { StoreTransaction } from '../transaction.ts';

/** Reads the number of validation images of the data sets of sweeps, by sweep. */
export async function readValidationCounts(
  tx: StoreTransaction,
  sweepIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (sweepIds.length === 0) return new Map();
  const { rows } = await tx.prepared<{ sweep_id: string; class_counts: ClassCount[] }>(
    `SELECT s.sweep_id, d.class_counts FROM sweeps s JOIN datasets d USING (dataset_id)
      WHERE s.sweep_id = ANY($1::text[])`,
    [textArray(sweepIds)],
  );
  return new Map(rows.map((row) => [row.sweep_id, countImages(row.class_counts).validation]));
}
