import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';
import type { CheckpointKind, CheckpointRef } from '../../../core/task.ts';
import { CheckpointKind as ProtoCheckpointKind } from '../../../../proto/gen/graft/v1/run.ts';
import type { Checkpoint } from '../../../../proto/gen/graft/v1/run.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { numberOf, requireMessage } from './fields.ts';
import { stages } from './run.ts';

const checkpointKinds = upperCaseEnum<CheckpointKind, typeof ProtoCheckpointKind>(ProtoCheckpointKind);

/** Converts a checkpoint to its message; a reference has neither `createTime` nor `pinned`. */
export function checkpointToProto(checkpoint: CheckpointRef | CheckpointRecord): Checkpoint {
  return {
    createTime: undefined,
    pinned: false,
    ...checkpoint,
    stage: stages.toProto(checkpoint.stage),
    kind: checkpointKinds.toProto(checkpoint.kind),
    sizeBytes: BigInt(checkpoint.sizeBytes),
    value: checkpoint.value ?? undefined,
  };
}

/** @throws InvalidRequestError naming the field. */
export function checkpointFromProto(message: Checkpoint, field: string): CheckpointRef {
  const { checkpointId, runId, epoch, uri, sha256, value = null } = message;
  return {
    checkpointId,
    runId,
    stage: stages.fromProto(message.stage, `${field}.stage`),
    epoch,
    kind: checkpointKinds.fromProto(message.kind, `${field}.kind`),
    uri,
    sha256,
    sizeBytes: numberOf(message.sizeBytes, `${field}.size_bytes`),
    value,
  };
}

/** @throws InvalidRequestError naming the field. */
export function checkpointRecordFromProto(message: Checkpoint | undefined): CheckpointRecord {
  const sent = requireMessage(message, 'checkpoint');
  const createTime = requireMessage(sent.createTime, 'checkpoint.create_time');
  return { ...checkpointFromProto(sent, 'checkpoint'), createTime, pinned: sent.pinned };
}
