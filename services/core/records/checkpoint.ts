import type { CheckpointRef } from '../task.ts';

/** A registered checkpoint. */
export interface CheckpointRecord extends CheckpointRef {
  readonly createTime: Date;
  /** Exempt from retention until it is unpinned. */
  readonly pinned: boolean;
}
