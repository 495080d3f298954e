import type { CheckpointRef } from '../task.ts';

export interface CheckpointRecord extends CheckpointRef {
  readonly createTime: Date;
  /** Kept whatever retention would do. */
  readonly pinned: boolean;
}
