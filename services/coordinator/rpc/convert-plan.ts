import type { PreviewedRun, PreviewedTask, SweepPreview } from '../../core/planner/preview-sweep.ts';
import { parametersToProto } from '../../platform/rpc/convert/parameter.ts';
import { stages } from '../../platform/rpc/convert/run.ts';
import type {
  GetSweepResponse,
  PlanCost,
  PlannedRun,
  PlannedTask,
  PlanSweepResponse,
  StageForecast,
} from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { StageForecastRecord, SweepForecastRecord } from '../../core/records/forecast.ts';

export function plannedRunToProto(run: PreviewedRun, variedNames: readonly string[]): PlannedRun {
  return {
    runIndex: run.index,
    parameters: parametersToProto(run.parameters),
    variedNames: [...variedNames],
    headRunIndex: run.headRunIndex,
  };
}

export function plannedTaskToProto(task: PreviewedTask): PlannedTask {
  return {
    stage: stages.toProto(task.stage),
    runIndexes: [...task.runIndexes],
    description: task.description,
    dependencies: [...task.dependencies],
    expectedSeconds: task.seconds,
    expectedMemoryBytes: bytes(task.memoryBytes),
    featureBytes: bytes(task.featureBytes),
  };
}

/** A page of a plan without its runs, its tasks and its token. */
export function planSummaryToProto(preview: SweepPreview): PlanSweepResponse {
  return {
    runs: [],
    tasks: [],
    duplicateCount: preview.duplicateCount,
    missingRunCount: preview.missingCount,
    notes: [...preview.notes],
    basePassCountAlone: BigInt(preview.basePassCountAlone),
    basePassCountShared: BigInt(preview.basePassCountShared),
    cost: costToProto(preview),
    nextPageToken: '',
    runCount: preview.runs.length,
    taskCount: preview.tasks.length,
  };
}

function costToProto({ cost, imageCounts, imageCountsAssumed }: SweepPreview): PlanCost {
  return {
    ...cost,
    featureBytes: bytes(cost.featureBytes),
    memoryBytes: bytes(cost.memoryBytes),
    trainImageCount: imageCounts.train,
    validationImageCount: imageCounts.validation,
    testImageCount: imageCounts.test,
    imageCountsAssumed,
  };
}

export function forecastsToProto(forecast: SweepForecastRecord): Omit<GetSweepResponse, 'sweep'> {
  return {
    stageForecasts: forecast.stages.map(stageForecastToProto),
    ...(forecast.wallSeconds === null ? {} : { forecastWallSeconds: forecast.wallSeconds }),
    ...(forecast.aloneSeconds === null ? {} : { forecastAloneSeconds: forecast.aloneSeconds }),
  };
}

function stageForecastToProto(stage: StageForecastRecord): StageForecast {
  return {
    stage: stages.toProto(stage.stage),
    taskCount: stage.taskCount,
    runCount: stage.runCount,
    measuredSeconds: stage.measuredSeconds,
    lostSeconds: stage.lostSeconds,
    ended: stage.ended,
    ...(stage.forecastSeconds === null ? {} : { forecastSeconds: stage.forecastSeconds }),
    ...(stage.forecastMemoryBytes === null ? {} : { forecastMemoryBytes: bytes(stage.forecastMemoryBytes) }),
    ...(stage.measuredMemoryBytes === null ? {} : { measuredMemoryBytes: bytes(stage.measuredMemoryBytes) }),
  };
}

function bytes(count: number): bigint {
  return BigInt(Math.round(count));
}
