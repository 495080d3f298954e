import type { Cluster } from '../../../core/planner/plan.ts';
import type { KnownImages } from '../../../core/planner/preview-sweep.ts';
import type { DatasetSource } from '../../../core/sweep/sweep-spec.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { readCluster, readKnownImages } from './read-cluster.ts';

/**
 * Reads the inputs of a preview besides the spec: the current slots, and the image counts if the data set was indexed before.
 *
 * @param source null: unknown, and so are its images
 */
export async function previewInputsOf(
  store: Store,
  source: DatasetSource | null,
): Promise<{ readonly cluster: Cluster; readonly images: KnownImages | null }> {
  return inTransaction(store, async (tx) => ({
    cluster: await readCluster(tx),
    images: source && (await readKnownImages(tx, source)),
  }));
}
