import type { EndCause, RunRecord } from '../../../core/records/run.ts';
import type { RunState } from '../../../core/states/run-state.ts';
import type { Stage } from '../../../core/task.ts';
import {
  EndCause as ProtoEndCause,
  RunState as ProtoRunState,
  Stage as ProtoStage,
} from '../../../../proto/gen/graft/v1/run.ts';
import type * as proto from '../../../../proto/gen/graft/v1/run.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { absentNulls, bytesToProto, nullAbsent, numberOrNull, requireMessage, textOrNull } from './fields.ts';
import { parametersFromProto, parametersToProto } from './parameter.ts';

export const stages = upperCaseEnum<Stage, typeof ProtoStage>(ProtoStage);
const endCauses = upperCaseEnum<EndCause, typeof ProtoEndCause>(ProtoEndCause);
export const runStates = upperCaseEnum<RunState, typeof ProtoRunState>(ProtoRunState);

/** Converts a run to its message. */
export function runToProto(run: RunRecord): proto.Run {
  return {
    ...absentNulls(run),
    parameters: parametersToProto(run.parameters),
    variedNames: [...run.variedNames],
    state: runStates.toProto(run.state),
    stage: stages.toProto(run.stage),
    bestStage: stages.toProto(run.bestStage),
    peakMemoryBytes: bytesToProto(run.peakMemoryBytes),
    headRunId: run.headRunId ?? '',
    endCause: endCauses.toProto(run.endCause),
    reusedRunId: run.reusedRunId ?? '',
    modelBytes: bytesToProto(run.modelBytes),
    parameterCount: bytesToProto(run.parameterCount),
    flops: bytesToProto(run.flops),
    repeatOfRunId: run.repeatOfRunId ?? '',
    tags: [...run.tags],
  };
}

/** @throws InvalidRequestError naming the field that is absent or unknown. */
export function runFromProto(message: proto.Run | undefined): RunRecord {
  const sent = requireMessage(message, 'run');
  const { peakMemoryBytes, modelBytes, parameterCount, flops, createTime, startTime, endTime, ...rest } =
    nullAbsent(sent);
  return {
    ...rest,
    parameters: parametersFromProto(sent.parameters, 'run.parameters'),
    state: runStates.fromProto(sent.state, 'run.state'),
    stage: stages.tryFromProto(sent.stage),
    bestStage: stages.tryFromProto(sent.bestStage),
    headRunId: textOrNull(sent.headRunId),
    endCause: endCauses.tryFromProto(sent.endCause),
    reusedRunId: textOrNull(sent.reusedRunId),
    repeatOfRunId: textOrNull(sent.repeatOfRunId),
    peakMemoryBytes: numberOrNull(peakMemoryBytes, 'run.peak_memory_bytes'),
    modelBytes: numberOrNull(modelBytes, 'run.model_bytes'),
    parameterCount: numberOrNull(parameterCount, 'run.parameter_count'),
    flops: numberOrNull(flops, 'run.flops'),
    createTime: requireMessage(createTime, 'run.create_time'),
    startTime,
    endTime,
  };
}
