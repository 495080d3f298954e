import { InvalidRequestError, NotFoundError } from '../../../core/errors.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { Dataset } from '../../../../prisma/client/client.ts';
import type { DatasetRecord } from '../../../core/records/dataset.ts';
import type { Page } from '../page.ts';
import { latestFirst } from '../latest-first.ts';
import type { Store } from '../store.ts';

export interface DatasetKey {
  readonly createTime: string;
  readonly datasetId: string;
}

/** Lists indexed data sets, latest first. */
export async function listDatasets(
  store: Store,
  after: DatasetKey | null,
  limit: number,
): Promise<Page<DatasetRecord, DatasetKey>> {
  const key = after && { createTime: after.createTime, id: after.datasetId };
  const { ids, next } = await latestFirst(store, 'datasets', key, limit);
  const rows = await store.prisma.dataset.findMany({ where: { datasetId: { in: ids } } });
  const byId = new Map(rows.map((row) => [row.datasetId, row]));
  return {
    items: ids.flatMap((datasetId) => {
      const row = byId.get(datasetId);
      return row ? [toDataset(row)] : [];
    }),
    next: next && { createTime: next.createTime, datasetId: next.id },
  };
}

/** Returns a data set. @throws NotFoundError */
export async function findDataset(store: Store, datasetId: string): Promise<DatasetRecord> {
  const row = await store.prisma.dataset.findUnique({ where: { datasetId } });
  if (row === null) throw new NotFoundError('data set', datasetId);
  return toDataset(row);
}

/**
 * Returns a data set as one of its sweeps indexed it: with the sweep's folder, and the problems found there under the sweep's flags.
 *
 * @throws NotFoundError; InvalidRequestError when the sweep uses another data set.
 */
export async function findDatasetOfSweep(store: Store, datasetId: string, sweepId: string): Promise<DatasetRecord> {
  const row = await store.prisma.sweep.findUnique({ where: { sweepId }, include: { dataset: true } });
  if (row === null) throw new NotFoundError('sweep', sweepId);
  if (row.dataset?.datasetId !== datasetId) {
    const description = `must be a sweep on data set ${datasetId}; received '${sweepId}', which is on ${row.datasetId ?? 'none yet'}.`;
    throw new InvalidRequestError([{ field: 'sweep_id', description }]);
  }
  const dataset = toDataset(row.dataset);
  const { path } = (row.spec as unknown as SweepSpec).dataset;
  const problems = (row.datasetProblems as unknown as DatasetRecord['problems'] | null) ?? dataset.problems;
  return { ...dataset, path, problems };
}

function toDataset(row: Dataset): DatasetRecord {
  return {
    datasetId: row.datasetId,
    path: row.path,
    digest: row.digest,
    classNames: row.classNames,
    classCounts: row.classCounts as unknown as DatasetRecord['classCounts'],
    problems: row.problems as unknown as DatasetRecord['problems'],
    createTime: row.createTime,
  };
}

/** Returns the URI of the manifest that lists a task's images; null before INDEX has completed, and for an unknown task. */
export async function findManifest(store: Store, taskId: string): Promise<string | null> {
  const { rows } = await store.pool.query<{ manifest_uri: string }>(
    `SELECT d.manifest_uri FROM tasks t JOIN sweeps s ON s.sweep_id = t.sweep_id
       JOIN datasets d ON d.dataset_id = s.dataset_id
      WHERE t.task_id = $1`,
    [taskId],
  );
  return rows[0]?.manifest_uri ?? null;
}
