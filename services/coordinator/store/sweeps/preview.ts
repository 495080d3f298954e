import type { Cluster } from '../../../core/planner/plan.ts';
import type { KnownImages, TrainedBefore } from '../../../core/planner/preview-sweep.ts';
import type { ResultDigests } from '../../../core/planner/result-digest.ts';
import type { Objective } from '../../../core/objective.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import type { DatasetSource } from '../../../core/sweep/sweep-spec.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import { findReusableHeads, findReusableResults } from './find-reusable.ts';
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

/**
 * Reads the digests of the images of the latest sweep with the same source, and the latest digest of all weights that were resolved;
 * null if the images were never indexed.
 */
export async function readKnownContent(
  store: Store,
  source: DatasetSource,
): Promise<{ readonly datasetDigest: string; readonly weights: readonly WeightsInfo[] } | null> {
  return inTransaction(store, async (tx) => {
    const { rows } = await tx.query<{ digest: string }>(
      `SELECT d.digest FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id
        WHERE s.spec -> 'dataset' = $1::jsonb ORDER BY s.create_time DESC LIMIT 1`,
      [JSON.stringify(source)],
    );
    if (rows[0] === undefined) return null;
    const resolved = await tx.query<{ weights: WeightsInfo | null }>(
      `SELECT DISTINCT ON (w ->> 'backbone', w ->> 'weights') w AS weights
         FROM sweeps s, jsonb_array_elements(s.weights) AS w
        WHERE jsonb_typeof(s.weights) = 'array' ORDER BY w ->> 'backbone', w ->> 'weights', s.create_time DESC`,
    );
    const weights = resolved.rows.flatMap((row) => row.weights ?? []);
    return { datasetDigest: rows[0].digest, weights };
  });
}

/** Finds what other sweeps have trained of these runs, by number. */
export async function findTrained(
  store: Store,
  objective: Objective,
  runs: readonly (ResultDigests & { readonly index: number; readonly startsFromHead: boolean })[],
): Promise<TrainedBefore> {
  return inTransaction(store, async (tx) => {
    const question = { objective, sweepId: null };
    const results = await findReusableResults(tx, { ...question, digests: runs.map(({ result }) => result) });
    const starting = runs.filter(({ result, startsFromHead }) => startsFromHead && !results.has(result));
    const heads = await findReusableHeads(tx, { ...question, digests: starting.flatMap(({ head }) => head ?? []) });
    return {
      results: new Map(
        runs.flatMap(({ index, result }) => {
          const source = results.get(result);
          return source === undefined ? [] : [[index, source.runId] as const];
        }),
      ),
      heads: new Map(
        starting.flatMap(({ index, head }) => {
          const source = head === null ? undefined : heads.get(head);
          return source === undefined ? [] : [[index, source.runId] as const];
        }),
      ),
    };
  });
}
