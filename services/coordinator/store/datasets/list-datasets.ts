import { NotFoundError } from '../../../core/errors.ts';
import type { Dataset } from '../../../../prisma/client/client.ts';
import type { DatasetRecord, Page } from '../records.ts';
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
  const { rows: keys } = await store.pool.query<{ dataset_id: string; key_time: string }>(
    `SELECT dataset_id, create_time::text AS key_time FROM datasets
      WHERE $1::timestamptz IS NULL OR (create_time, dataset_id) < ($1::timestamptz, $2)
      ORDER BY create_time DESC, dataset_id DESC LIMIT $3`,
    [after?.createTime ?? null, after?.datasetId ?? null, limit + 1],
  );
  const shown = keys.slice(0, limit);
  const datasetIds = shown.map(({ dataset_id }) => dataset_id);
  const rows = await store.prisma.dataset.findMany({ where: { datasetId: { in: datasetIds } } });
  const byId = new Map(rows.map((row) => [row.datasetId, row]));
  const last = shown.at(-1);
  return {
    items: datasetIds.flatMap((datasetId) => {
      const row = byId.get(datasetId);
      return row ? [toDataset(row)] : [];
    }),
    next: keys.length > limit && last ? { createTime: last.key_time, datasetId: last.dataset_id } : null,
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
