import { countImages } from '../../../core/dataset.ts';
import type { Dataset } from '../../../core/dataset.ts';
import type { PlanInput } from '../../../core/planner/plan.ts';
import type { DatasetRecord } from '../../../core/records/dataset.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';

/** The result of INDEX. */
export interface Indexed {
  readonly dataset: Dataset;
  readonly weights: readonly WeightsInfo[];
}

/** Reads INDEX's result for a sweep's images and weights, as the planner's input; null before INDEX has completed. */
export async function readIndexed(
  tx: StoreTransaction,
  sweepId: string,
): Promise<Pick<PlanInput, 'objective' | 'dataset' | 'weights'> | null> {
  const { rows } = await tx.query<{
    objective: PlanInput['objective'];
    weights: PlanInput['weights'];
    digest: string;
    class_names: string[];
    class_counts: DatasetRecord['classCounts'];
  }>(
    `SELECT s.spec -> 'objective' AS objective, s.weights, d.digest, d.class_names, d.class_counts
       FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const row = rows[0];
  if (row === undefined) return null;
  const { objective, weights, digest } = row;
  const dataset = { digest, imageCounts: countImages(row.class_counts), classCount: row.class_names.length };
  return { objective, dataset, weights };
}
