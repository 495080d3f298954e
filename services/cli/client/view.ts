import { datasetFromProto } from '../../platform/rpc/convert/dataset.ts';
import { parametersFromProto } from '../../platform/rpc/convert/parameter.ts';
import { checkpointKinds, runStates, stages, testRoleFromProto } from '../../platform/rpc/convert/run.ts';
import { sweepSpecFromProto, sweepStates } from '../../platform/rpc/convert/sweep.ts';
import { numberOf, requireMessage, textOrNull } from '../../platform/rpc/convert/fields.ts';
import type * as dataset from '../../../proto/gen/graft/v1/dataset.ts';
import type * as run from '../../../proto/gen/graft/v1/run.ts';
import type * as sweep from '../../../proto/gen/graft/v1/sweep.ts';
import type * as service from '../../../proto/gen/graft/v1/sweep_service.ts';
import type * as trainer from '../../../proto/gen/graft/v1/trainer.ts';
import type {
  Checkpoint,
  Dataset,
  EpochMetric,
  LeaderboardEntry,
  Run,
  RunAttempt,
  Sweep,
  SweepEvent,
  SweepEventBody,
  SweepForecast,
  SweepPlan,
  TestPrediction,
  TestResult,
  Trainer,
} from './types.ts';

export function viewSweep(message: sweep.Sweep | undefined): Sweep {
  const sent = requireMessage(message, 'sweep');
  return {
    sweepId: sent.sweepId,
    spec: sweepSpecFromProto(requireMessage(sent.spec, 'sweep.spec')).spec,
    state: sweepStates.fromProto(sent.state, 'sweep.state'),
    stateReason: sent.stateReason,
    datasetId: textOrNull(sent.datasetId),
    runCount: sent.runCount,
    finishedRunCount: sent.finishedRunCount,
    succeededRunCount: sent.succeededRunCount,
    failedRunCount: sent.failedRunCount,
    infeasibleRunCount: sent.infeasibleRunCount,
    stoppedRunCount: sent.stoppedRunCount,
    cancelledRunCount: sent.cancelledRunCount,
    bestRunId: textOrNull(sent.bestRunId),
    bestValue: sent.bestValue ?? null,
    createTime: sent.createTime ?? null,
    startTime: sent.startTime ?? null,
    endTime: sent.endTime ?? null,
  };
}

export function viewRun(message: run.Run | undefined): Run {
  const sent = requireMessage(message, 'run');
  return {
    runId: sent.runId,
    sweepId: sent.sweepId,
    runIndex: sent.runIndex,
    parameters: parametersFromProto(sent.parameters, 'run.parameters'),
    variedNames: sent.variedNames,
    state: runStates.fromProto(sent.state, 'run.state'),
    stateReason: sent.stateReason,
    stage: stages.tryFromProto(sent.stage),
    epochCount: sent.epochCount,
    epochLimit: sent.epochLimit,
    bestValue: sent.bestValue ?? null,
    bestStage: stages.tryFromProto(sent.bestStage),
    bestEpoch: sent.bestEpoch,
    lastValue: sent.lastValue ?? null,
    bestValAccuracy: sent.bestValAccuracy ?? null,
    bestValLoss: sent.bestValLoss ?? null,
    attemptCount: sent.attemptCount,
    headRunId: textOrNull(sent.headRunId),
    peakMemoryBytes:
      sent.peakMemoryBytes === undefined ? null : numberOf(sent.peakMemoryBytes, 'run.peak_memory_bytes'),
    createTime: sent.createTime ?? null,
    startTime: sent.startTime ?? null,
    endTime: sent.endTime ?? null,
  };
}

export function viewAttempt(message: run.RunAttempt): RunAttempt {
  return {
    taskId: message.taskId,
    stage: stages.tryFromProto(message.stage),
    leaseEpoch: message.leaseEpoch,
    trainerId: message.trainerId,
    slotIndex: message.slotIndex,
    state: message.state,
    errorClass: message.errorClass,
    errorCode: message.errorCode,
    message: message.message,
    microBatchDivisor: Math.max(1, message.microBatchDivisor),
    startTime: message.startTime ?? null,
    endTime: message.endTime ?? null,
  };
}

export function viewEpochMetric(message: run.EpochMetric): EpochMetric {
  const { runId, stage, epoch, name, value } = message;
  return { runId, stage: stages.tryFromProto(stage), epoch, name, value };
}

export function viewCheckpoint(message: run.Checkpoint): Checkpoint {
  return {
    checkpointId: message.checkpointId,
    runId: message.runId,
    stage: stages.tryFromProto(message.stage),
    epoch: message.epoch,
    kind: checkpointKinds.tryFromProto(message.kind),
    uri: message.uri,
    sha256: message.sha256,
    sizeBytes: Number(message.sizeBytes),
    value: message.value ?? null,
    createTime: message.createTime ?? null,
    pinned: message.pinned,
  };
}

function viewTestResult(message: run.TestResult): TestResult {
  return {
    runId: message.runId,
    checkpointId: message.checkpointId,
    accuracy: message.accuracy,
    accuracyLow: message.accuracyLow,
    accuracyHigh: message.accuracyHigh,
    loss: message.loss,
    rocAuc: message.rocAuc ?? null,
    imageCount: message.imageCount,
    correctCount: message.correctCount,
    confusionMatrix: message.confusionMatrix,
    classResults: message.classResults.map((result) => ({ ...result })),
    role: testRoleFromProto(message.role, 'test_result.role'),
  };
}

export function viewLeaderboardEntry(message: service.LeaderboardEntry): LeaderboardEntry {
  return {
    rank: message.rank,
    run: viewRun(message.run),
    testResult: message.testResult === undefined ? null : viewTestResult(message.testResult),
  };
}

export function viewTestPrediction(message: run.TestPrediction): TestPrediction {
  const { path, label, predictedLabel, probabilities } = message;
  return { path, label, predictedLabel, probabilities };
}

/** A plan of all its pages, one at least. */
export function viewPlan(pages: readonly service.PlanSweepResponse[]): SweepPlan {
  const message = requireMessage(pages[0], 'plan');
  return {
    runs: pages.flatMap(({ runs }) =>
      runs.map(({ runIndex, parameters, variedNames, headRunIndex }) => ({
        runIndex,
        parameters: parametersFromProto(parameters, 'runs.parameters'),
        variedNames,
        headRunIndex,
      })),
    ),
    tasks: pages
      .flatMap(({ tasks }) => tasks)
      .map((task) => ({
        stage: stages.tryFromProto(task.stage),
        runIndexes: task.runIndexes,
        description: task.description,
        dependencies: task.dependencies,
        expectedSeconds: task.expectedSeconds,
        expectedMemoryBytes: numberOf(task.expectedMemoryBytes, 'tasks.expected_memory_bytes'),
        featureBytes: numberOf(task.featureBytes, 'tasks.feature_bytes'),
      })),
    duplicateCount: message.duplicateCount,
    missingRunCount: message.missingRunCount,
    notes: message.notes,
    basePassCountAlone: Number(message.basePassCountAlone),
    basePassCountShared: Number(message.basePassCountShared),
    cost: viewPlanCost(requireMessage(message.cost, 'cost')),
  };
}

function viewPlanCost(cost: service.PlanCost): SweepPlan['cost'] {
  return {
    ...cost,
    featureBytes: numberOf(cost.featureBytes, 'cost.feature_bytes'),
    memoryBytes: numberOf(cost.memoryBytes, 'cost.memory_bytes'),
  };
}

export function viewForecast(message: service.GetSweepResponse): SweepForecast {
  return {
    stages: message.stageForecasts.map((stage) => ({
      stage: stages.tryFromProto(stage.stage),
      taskCount: stage.taskCount,
      runCount: stage.runCount,
      forecastSeconds: stage.forecastSeconds ?? null,
      measuredSeconds: stage.measuredSeconds,
      lostSeconds: stage.lostSeconds,
      forecastMemoryBytes: bytesOrNull(stage.forecastMemoryBytes, 'forecast_memory_bytes'),
      measuredMemoryBytes: bytesOrNull(stage.measuredMemoryBytes, 'measured_memory_bytes'),
      ended: stage.ended,
    })),
    wallSeconds: message.forecastWallSeconds ?? null,
    aloneSeconds: message.forecastAloneSeconds ?? null,
  };
}

function bytesOrNull(value: bigint | undefined, field: string): number | null {
  return value === undefined ? null : numberOf(value, `stage_forecasts.${field}`);
}

export function viewTrainer(message: trainer.Trainer): Trainer {
  const { trainerId, hostname, version, engineVersion, state, slots, heartbeatTime, refusalCount, drainReason } =
    message;
  return {
    trainerId,
    hostname,
    version,
    engineVersion,
    state,
    slots: slots.map((slot) => ({
      slotIndex: slot.slotIndex,
      deviceKind: slot.deviceKind,
      deviceName: slot.deviceName,
      memoryBytes: Number(slot.memoryBytes),
      threadCount: slot.threadCount,
      taskId: textOrNull(slot.taskId),
      stage: stages.tryFromProto(slot.stage),
      benchReason: textOrNull(slot.benchReason),
    })),
    heartbeatTime: heartbeatTime ?? null,
    refusalCount,
    drainReason: textOrNull(drainReason),
  };
}

export function viewDataset(message: dataset.Dataset | undefined): Dataset {
  return datasetFromProto(requireMessage(message, 'dataset'), 'dataset');
}

/** null for a kind of event that this version does not know. */
export function viewEvent(message: service.WatchSweepResponse): SweepEvent | null {
  const body = viewEventBody(message.event);
  return body === null ? null : { cursor: message.cursor, eventTime: message.eventTime ?? null, body };
}

function viewEventBody(event: service.WatchSweepResponse['event']): SweepEventBody | null {
  switch (event?.$case) {
    case undefined:
      return null;
    case 'sweepState':
      return {
        kind: 'sweep_state',
        state: sweepStates.fromProto(event.value.state, 'sweep_state.state'),
        reason: event.value.reason,
      };
    case 'runState':
      return {
        kind: 'run_state',
        runId: event.value.runId,
        state: runStates.fromProto(event.value.state, 'run_state.state'),
        stage: stages.tryFromProto(event.value.stage),
        reason: event.value.reason,
      };
    case 'epoch':
      return {
        kind: 'epoch',
        runId: event.value.runId,
        stage: stages.tryFromProto(event.value.stage),
        epoch: event.value.epoch,
        metrics: Object.fromEntries(event.value.metrics.map(({ name, value }) => [name, value])),
      };
    case 'task':
      return {
        kind: 'task',
        taskId: event.value.taskId,
        stage: stages.tryFromProto(event.value.stage),
        state: event.value.state,
        trainerId: event.value.trainerId,
        message: event.value.message,
      };
    case 'testResult':
      return { kind: 'test_result', result: viewTestResult(requireMessage(event.value.result, 'test_result.result')) };
  }
}
