import type { RunState } from '../../../core/states/run-state.ts';
import type { CheckpointKind, CheckpointRef, Stage, TestRole } from '../../../core/task.ts';
import { InvalidRequestError } from '../../../core/errors.ts';
import {
  CheckpointKind as ProtoCheckpointKind,
  RunState as ProtoRunState,
  Stage as ProtoStage,
} from '../../../../proto/gen/graft/v1/run.ts';
import type * as proto from '../../../../proto/gen/graft/v1/run.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { numberOf } from './fields.ts';

export const stages = upperCaseEnum<Stage, typeof ProtoStage>(ProtoStage);
export const runStates = upperCaseEnum<RunState, typeof ProtoRunState>(ProtoRunState);
export const checkpointKinds = upperCaseEnum<CheckpointKind, typeof ProtoCheckpointKind>(ProtoCheckpointKind);

const TEST_ROLES: Readonly<Record<TestRole, true>> = { WINNER: true, BASELINE: true, EVERY_RUN: true };

/** @param createTime where the caller knows it. */
export function checkpointToProto(
  checkpoint: CheckpointRef,
  { createTime, pinned = false }: { readonly createTime?: Date; readonly pinned?: boolean } = {},
): proto.Checkpoint {
  return {
    checkpointId: checkpoint.checkpointId,
    runId: checkpoint.runId,
    stage: stages.toProto(checkpoint.stage),
    epoch: checkpoint.epoch,
    kind: checkpointKinds.toProto(checkpoint.kind),
    uri: checkpoint.uri,
    sha256: checkpoint.sha256,
    sizeBytes: BigInt(checkpoint.sizeBytes),
    ...(checkpoint.value === null ? {} : { value: checkpoint.value }),
    createTime,
    pinned,
  };
}

/** @throws InvalidRequestError that names the field. */
export function checkpointFromProto(message: proto.Checkpoint, field: string): CheckpointRef {
  return {
    checkpointId: message.checkpointId,
    runId: message.runId,
    stage: stages.fromProto(message.stage, `${field}.stage`),
    epoch: message.epoch,
    kind: checkpointKinds.fromProto(message.kind, `${field}.kind`),
    uri: message.uri,
    sha256: message.sha256,
    sizeBytes: numberOf(message.sizeBytes, `${field}.size_bytes`),
    value: message.value ?? null,
  };
}

/**
 * Roles travel as text.
 *
 * @throws InvalidRequestError for an unknown one.
 */
export function testRoleFromProto(role: string, field: string): TestRole {
  if (!Object.hasOwn(TEST_ROLES, role)) {
    throw new InvalidRequestError([
      { field, description: `must be one of ${Object.keys(TEST_ROLES).join(', ')}; received '${role}'.` },
    ]);
  }
  return role as TestRole;
}
