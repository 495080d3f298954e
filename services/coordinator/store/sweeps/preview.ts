import { previewSweep } from '../../../core/planner/preview-sweep.ts';
import type { SweepPreview } from '../../../core/planner/preview-sweep.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { readCluster, readKnownImages } from './read-cluster.ts';

/** What a sweep would do on the slots that are there now. Writes nothing. */
export async function previewOf(store: Store, spec: SweepSpec): Promise<SweepPreview> {
  const known = await inTransaction(store, async (tx) => ({
    cluster: await readCluster(tx, store),
    images: await readKnownImages(tx, spec.dataset),
  }));
  return previewSweep(spec, known.cluster, known.images);
}
