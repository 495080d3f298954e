import type { DatasetProblem } from '../dataset.ts';

export interface DatasetRecord {
  readonly datasetId: string;
  readonly path: string;
  readonly digest: string;
  readonly classNames: readonly string[];
  readonly classCounts: readonly {
    readonly split: 'train' | 'validation' | 'test';
    readonly className: string;
    readonly imageCount: number;
  }[];
  readonly problems: readonly DatasetProblem[];
  readonly createTime: Date;
}
