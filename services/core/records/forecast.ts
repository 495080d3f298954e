import type { Stage } from '../task.ts';

/** What one stage of a sweep was expected to take, and what it took. Seconds are slot-seconds; null: not known. */
export interface StageForecastRecord {
  readonly stage: Stage;
  readonly taskCount: number;
  readonly runCount: number;
  readonly forecastSeconds: number | null;
  readonly measuredSeconds: number;
  readonly lostSeconds: number;
  readonly forecastMemoryBytes: number | null;
  readonly measuredMemoryBytes: number | null;
  readonly ended: boolean;
}

export interface SweepForecastRecord {
  readonly stages: readonly StageForecastRecord[];
  /** From the first lease to the end; null until the sweep is planned. */
  readonly wallSeconds: number | null;
  /** If the runs were trained one by one. */
  readonly aloneSeconds: number | null;
}
