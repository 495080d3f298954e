import type { CheckpointKind, CheckpointRef, Stage } from '../../../core/task.ts';
import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';

/** A row of `checkpoints`. */
export interface CheckpointRow {
  readonly checkpoint_id: string;
  readonly run_id: string;
  readonly stage: Stage;
  readonly epoch: number;
  readonly kind: CheckpointKind;
  readonly uri: string;
  readonly sha256: string;
  readonly size_bytes: string;
  readonly value: number | null;
  readonly create_time: Date;
  readonly pinned: boolean;
}

/** The same row inside `to_jsonb`. */
export interface CheckpointJson extends Omit<CheckpointRow, 'size_bytes' | 'value' | 'create_time'> {
  readonly size_bytes: number;
  /** NaN and infinities, which JSON lacks, are strings. */
  readonly value: number | string | null;
  readonly create_time: string;
}

export const CHECKPOINT_COLUMNS =
  'c.checkpoint_id, c.run_id, c.stage, c.epoch, c.kind, c.uri, c.sha256, c.size_bytes, c.value, c.create_time, c.pinned';

export function toCheckpoint(row: CheckpointRow | CheckpointJson): CheckpointRecord & CheckpointRef {
  return {
    checkpointId: row.checkpoint_id,
    runId: row.run_id,
    stage: row.stage,
    epoch: row.epoch,
    kind: row.kind,
    uri: row.uri,
    sha256: row.sha256,
    sizeBytes: Number(row.size_bytes),
    value: row.value === null ? null : Number(row.value),
    createTime: new Date(row.create_time),
    pinned: row.pinned,
  };
}
