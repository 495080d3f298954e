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
  return {
    ...plainFields(message, field),
    stage: stages.fromProto(message.stage, `${field}.stage`),
    kind: checkpointKinds.fromProto(message.kind, `${field}.kind`),
  };
}

function plainFields(message: Checkpoint, field: string): Omit<CheckpointRef, 'stage' | 'kind'> {
  const { checkpointId, runId, epoch, uri, sha256, value = null } = message;
  return {
    checkpointId,
    runId,
    epoch,
    uri,
    sha256,
    sizeBytes: numberOf(message.sizeBytes, `${field}.size_bytes`),
    value,
  };
}

/**
 * Converts a checkpoint for people. A coordinator of a later version may send a stage or kind that this version does not know.
 *
 * @throws InvalidRequestError naming a field that is absent.
 */
export function checkpointRecordFromProto(message: Checkpoint | undefined): CheckpointRecord {
  const sent = requireMessage(message, 'checkpoint');
  const createTime = requireMessage(sent.createTime, 'checkpoint.create_time');
  const stage = stages.tryFromProto(sent.stage);
  const kind = checkpointKinds.tryFromProto(sent.kind);
  return { ...plainFields(sent, 'checkpoint'), stage, kind, createTime, pinned: sent.pinned };
}
