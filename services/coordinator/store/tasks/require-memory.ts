import type { StoreTransaction } from '../transaction.ts';

/** Number of a class's latest tasks in the median, so that one outlier does not decide. */
const SAMPLE_COUNT = 20;
const SMALLEST_FACTOR = 0.25;
const LARGEST_FACTOR = 4;

/**
 * Sets the memory that new tasks of a sweep require: the forecast times the median ratio of measured to forecast peaks of the cluster's
 * latest tasks of the same cost class. One statement for a plan of any size: the median is computed once per class.
 */
export async function requireMemory(tx: StoreTransaction, sweepId: string): Promise<void> {
  await tx.query(
    `WITH classes AS (
       SELECT DISTINCT cost_class FROM tasks
        WHERE sweep_id = $1 AND required_memory_bytes IS NULL AND forecast_memory_bytes IS NOT NULL
     ), factors AS (
       SELECT c.cost_class, least($4, greatest($3, coalesce(m.factor, 1))) AS factor
         FROM classes c
         CROSS JOIN LATERAL (
           SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.peak_memory_bytes::float8 / s.forecast_memory_bytes) AS factor
             FROM (SELECT peak_memory_bytes, forecast_memory_bytes FROM tasks
                    WHERE cost_class = c.cost_class AND peak_memory_bytes > 0 AND forecast_memory_bytes > 0
                    ORDER BY end_time DESC LIMIT $2) s
         ) m
     )
     UPDATE tasks t SET required_memory_bytes = round(t.forecast_memory_bytes * f.factor)
       FROM factors f
      WHERE t.sweep_id = $1 AND t.cost_class = f.cost_class
        AND t.required_memory_bytes IS NULL AND t.forecast_memory_bytes IS NOT NULL`,
    [sweepId, SAMPLE_COUNT, SMALLEST_FACTOR, LARGEST_FACTOR],
  );
}
