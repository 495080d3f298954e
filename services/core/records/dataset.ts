import type { Dataset } from '../dataset.ts';

/** An indexed data set with the time of its first indexing. */
export interface DatasetRecord extends Dataset {
  readonly createTime: Date;
}
