import { NotFoundError } from '../../../core/errors.ts';
import type { Dataset } from '../../../../prisma/client/client.ts';
import type { DatasetRecord, Page } from '../records.ts';
import { newestFirst } from '../newest-first.ts';
import type { Store } from '../store.ts';

export interface DatasetKey {
  readonly createTime: string;
  readonly datasetId: string;
}

/** Indexed data sets, newest first. */
export async function listDatasets(
  store: Store,
  after: DatasetKey | null,
  limit: number,
): Promise<Page<DatasetRecord, DatasetKey>> {
  const key = after && { createTime: after.createTime, id: after.datasetId };
  const { ids, next } = await newestFirst(store, 'datasets', key, limit);
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

/** @throws NotFoundError */
export async function findDataset(store: Store, datasetId: string): Promise<DatasetRecord> {
  const row = await store.prisma.dataset.findUnique({ where: { datasetId } });
  if (row === null) throw new NotFoundError('data set', datasetId);
  return toDataset(row);
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
