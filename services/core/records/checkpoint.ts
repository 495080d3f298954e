import type { CheckpointKind, CheckpointRef, Stage } from '../task.ts';

/** A registered checkpoint. */
export interface CheckpointRecord extends Omit<CheckpointRef, 'stage' | 'kind'> {
  /** Null: one that this version does not know. */
  readonly stage: Stage | null;
  /** Null: one that this version does not know. */
  readonly kind: CheckpointKind | null;
  readonly createTime: Date;
  /** Exempt from retention until it is unpinned. */
  readonly pinned: boolean;
}
