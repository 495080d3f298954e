import type { Stage } from '../task.ts';

/** Forecast and measurement of one stage of a sweep, in slot-seconds and bytes; null: unknown. */
export interface StageForecastRecord {
  readonly stage: Stage | null;
  readonly taskCount: number;
  readonly runCount: number;
  readonly forecastSeconds: number | null;
  readonly measuredSeconds: number;
  /** Slot-seconds of attempts that brought no result. */
  readonly lostSeconds: number;
  readonly forecastMemoryBytes: number | null;
  readonly measuredMemoryBytes: number | null;
  readonly ended: boolean;
}

/** Forecast and measurement of a whole sweep. */
export interface SweepForecastRecord {
  readonly stages: readonly StageForecastRecord[];
  /** Forecast time from the first lease to the end; null until the sweep is planned. */
  readonly wallSeconds: number | null;
  /** Forecast slot time if the runs were trained one by one. */
  readonly aloneSeconds: number | null;
}
