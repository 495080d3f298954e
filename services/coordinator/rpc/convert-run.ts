import { checkpointToProto, runStates, stages } from '../../platform/rpc/convert/run.ts';
import { parametersToProto } from '../../platform/rpc/convert/parameter.ts';
import type * as proto from '../../../proto/gen/graft/v1/run.ts';
import type { LeaderboardEntry } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { Stage } from '../../../proto/gen/graft/v1/run.ts';
import type { AttemptRecord } from '../../core/records/attempt.ts';
import type { CheckpointRecord } from '../../core/records/checkpoint.ts';
import type { EpochMetricRecord } from '../../core/records/epoch-metric.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { TestResultRecord } from '../../core/records/test-result.ts';

export function runToProto(run: RunRecord): proto.Run {
  return {
    runId: run.runId,
    sweepId: run.sweepId,
    runIndex: run.runIndex,
    parameters: parametersToProto(run.parameters),
    variedNames: [...run.variedNames],
    state: runStates.toProto(run.state),
    stateReason: run.stateReason,
    stage: stages.toProto(run.stage),
    epochCount: run.epochCount,
    epochLimit: run.epochLimit,
    ...(run.bestValue === null ? {} : { bestValue: run.bestValue }),
    bestStage: run.bestStage === null ? Stage.UNSPECIFIED : stages.toProto(run.bestStage),
    bestEpoch: run.bestEpoch ?? 0,
    ...(run.lastValue === null ? {} : { lastValue: run.lastValue }),
    ...(run.bestValAccuracy === null ? {} : { bestValAccuracy: run.bestValAccuracy }),
    ...(run.bestValLoss === null ? {} : { bestValLoss: run.bestValLoss }),
    attemptCount: run.attemptCount,
    ...(run.peakMemoryBytes === null ? {} : { peakMemoryBytes: BigInt(run.peakMemoryBytes) }),
    headRunId: run.headRunId ?? '',
    createTime: run.createTime,
    startTime: run.startTime ?? undefined,
    endTime: run.endTime ?? undefined,
  };
}

export function attemptToProto(attempt: AttemptRecord): proto.RunAttempt {
  return {
    taskId: attempt.taskId,
    stage: stages.toProto(attempt.stage),
    leaseEpoch: attempt.leaseEpoch,
    trainerId: attempt.trainerId,
    slotIndex: attempt.slotIndex,
    state: attempt.state,
    errorClass: attempt.errorClass ?? '',
    message: attempt.message,
    startTime: attempt.startTime,
    endTime: attempt.endTime ?? undefined,
    errorCode: attempt.errorCode ?? '',
    microBatchDivisor: attempt.microBatchDivisor,
  };
}

export function epochMetricToProto(metric: EpochMetricRecord): proto.EpochMetric {
  return { ...metric, stage: stages.toProto(metric.stage) };
}

export function checkpointRecordToProto(checkpoint: CheckpointRecord): proto.Checkpoint {
  return checkpointToProto(checkpoint, checkpoint);
}

export function testResultToProto(result: TestResultRecord): proto.TestResult {
  const { rocAuc, ...rest } = result;
  return {
    ...rest,
    ...(rocAuc === null ? {} : { rocAuc }),
    confusionMatrix: [...result.confusionMatrix],
    classResults: result.classResults.map((classResult) => ({ ...classResult })),
  };
}

export function leaderboardEntryToProto({ rank, run, testResult }: LeaderboardRecord): LeaderboardEntry {
  return {
    rank,
    run: runToProto(run),
    testResult: testResult === null ? undefined : testResultToProto(testResult),
  };
}
