import type { SweepForecastRecord } from '../../../core/records/forecast.ts';
import type { GetSweepResponse } from '../../../../proto/gen/graft/v1/sweep_service.ts';
import { absentNulls, bytesToProto, nullAbsent, numberOrNull } from './fields.ts';
import { stages } from './run.ts';

/** Converts a sweep's forecast to the fields of GetSweep beside the sweep. */
export function forecastToProto(forecast: SweepForecastRecord): Omit<GetSweepResponse, 'sweep'> {
  return {
    stageForecasts: forecast.stages.map((stage) => ({
      ...absentNulls(stage),
      stage: stages.toProto(stage.stage),
      forecastMemoryBytes: bytesToProto(stage.forecastMemoryBytes),
      measuredMemoryBytes: bytesToProto(stage.measuredMemoryBytes),
    })),
    forecastWallSeconds: forecast.wallSeconds ?? undefined,
    forecastAloneSeconds: forecast.aloneSeconds ?? undefined,
  };
}

/** @throws InvalidRequestError naming the size that is not exact. */
export function forecastFromProto(message: Omit<GetSweepResponse, 'sweep'>): SweepForecastRecord {
  return {
    stages: message.stageForecasts.map((stage) => ({
      ...nullAbsent(stage),
      stage: stages.tryFromProto(stage.stage),
      forecastMemoryBytes: numberOrNull(stage.forecastMemoryBytes, 'stage_forecasts.forecast_memory_bytes'),
      measuredMemoryBytes: numberOrNull(stage.measuredMemoryBytes, 'stage_forecasts.measured_memory_bytes'),
    })),
    wallSeconds: message.forecastWallSeconds ?? null,
    aloneSeconds: message.forecastAloneSeconds ?? null,
  };
}
