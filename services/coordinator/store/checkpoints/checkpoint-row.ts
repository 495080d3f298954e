import type { CheckpointKind, Stage } from '../../../core/task.ts';
import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';

/** A row of `checkpoints`, read directly or inside `to_jsonb`, which spells numbers and times differently. */
export interface CheckpointRow {
  readonly checkpoint_id: string;
  readonly run_id: string;
  readonly stage: Stage;
  readonly epoch: number;
  readonly kind: CheckpointKind;
  readonly uri: string;
  readonly sha256: string;
  readonly size_bytes: string | number | bigint;
  /** to_jsonb spells values JSON does not know as text. */
  readonly value: number | string | null;
  readonly create_time: Date | string;
  readonly pinned: boolean;
}

export const CHECKPOINT_COLUMNS =
  'c.checkpoint_id, c.run_id, c.stage, c.epoch, c.kind, c.uri, c.sha256, c.size_bytes, c.value, c.create_time, c.pinned';

export function toCheckpoint(row: CheckpointRow): CheckpointRecord {
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
