import type { SweepForecastRecord } from '../../../core/records/forecast.ts';
import type { Stage } from '../../../core/task.ts';
import { STAGE_ARRAY } from '../state-sql.ts';
import type { Store } from '../store.ts';

interface StageRow {
  readonly stage: Stage;
  readonly task_count: number;
  readonly run_count: number;
  readonly forecast_seconds: number | null;
  readonly measured_seconds: number;
  readonly lost_seconds: number;
  readonly forecast_memory_bytes: string | null;
  readonly measured_memory_bytes: string | null;
  readonly ended: boolean;
}

/** Reads forecasts and measurements of a sweep, from the SQL view that is documented for users. */
export async function readForecasts(store: Store, sweepId: string): Promise<SweepForecastRecord> {
  const stages = await store.pool.query<StageRow>(
    `SELECT stage, task_count, run_count, forecast_seconds, measured_seconds, lost_seconds, forecast_memory_bytes,
            measured_memory_bytes, ended
       FROM stage_forecasts WHERE sweep_id = $1
      ORDER BY array_position(${STAGE_ARRAY}, stage)`,
    [sweepId],
  );
  const sweeps = await store.pool.query<{ wall: number | null; alone: number | null }>(
    'SELECT forecast_wall_seconds AS wall, forecast_alone_seconds AS alone FROM sweeps WHERE sweep_id = $1',
    [sweepId],
  );
  return {
    stages: stages.rows.map((row) => ({
      stage: row.stage,
      taskCount: row.task_count,
      runCount: row.run_count,
      forecastSeconds: row.forecast_seconds,
      measuredSeconds: row.measured_seconds,
      lostSeconds: row.lost_seconds,
      forecastMemoryBytes: row.forecast_memory_bytes === null ? null : Number(row.forecast_memory_bytes),
      measuredMemoryBytes: row.measured_memory_bytes === null ? null : Number(row.measured_memory_bytes),
      ended: row.ended,
    })),
    wallSeconds: sweeps.rows[0]?.wall ?? null,
    aloneSeconds: sweeps.rows[0]?.alone ?? null,
  };
}
