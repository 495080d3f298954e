import type { SweepPreview } from '../../core/planner/preview-sweep.ts';
import { parametersToProto } from '../../platform/rpc/convert/parameter.ts';
import { stages } from '../../platform/rpc/convert/run.ts';
import type {
  GetSweepResponse,
  PlanCost,
  PlanSweepResponse,
  StageForecast,
} from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { StageForecastRecord, SweepForecastRecord } from '../store/sweeps/read-forecasts.ts';

export function previewToProto(preview: SweepPreview): PlanSweepResponse {
  return {
    runs: preview.runs.map(({ index, parameters, headRunIndex }) => ({
      runIndex: index,
      parameters: parametersToProto(parameters),
      variedNames: [...preview.variedNames],
      headRunIndex,
    })),
    tasks: preview.tasks.map((task) => ({
      stage: stages.toProto(task.stage),
      runIndexes: [...task.runIndexes],
      description: task.description,
      dependencies: [...task.dependencies],
      expectedSeconds: task.seconds,
      expectedMemoryBytes: bytes(task.memoryBytes),
      featureBytes: bytes(task.featureBytes),
    })),
    duplicateCount: preview.duplicateCount,
    missingRunCount: preview.missingCount,
    notes: [...preview.notes],
    basePassCountAlone: BigInt(preview.basePassCountAlone),
    basePassCountShared: BigInt(preview.basePassCountShared),
    cost: costToProto(preview),
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
