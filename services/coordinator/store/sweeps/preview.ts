import type { Cluster } from '../../../core/planner/plan.ts';
import type { KnownImages } from '../../../core/planner/preview-sweep.ts';
import type { DatasetSource } from '../../../core/sweep/sweep-spec.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { readCluster, readKnownImages } from './read-cluster.ts';

/**
 * What a preview of a sweep depends on besides its spec: the slots that are there now, and what is known of the images.
 *
 * @param source null: not known, nothing is known of its images either
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
