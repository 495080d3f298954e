import type { MlflowMetric } from '../../../platform/mlflow/log-batch.ts';
import type { MlflowClient } from '../../../platform/mlflow/mlflow-client.ts';

/**
 * Returns the points that the server does not have. Called only after a request with unknown outcome: a server with a database
 * removes duplicates itself, but slowly (mlflow#24577), and one with files would keep them twice.
 */
export async function withoutKnown(
  client: MlflowClient,
  mlflowRunId: string,
  points: readonly MlflowMetric[],
): Promise<MlflowMetric[]> {
  const known = new Set<string>();
  for (const key of [...new Set(points.map((point) => point.key))].sort()) {
    for (const point of await client.readHistory(mlflowRunId, key)) known.add(identityOf({ ...point, key }));
  }
  return points.filter((point) => !known.has(identityOf(point)));
}

/** Returns the server's primary key of a point. The server stores infinities as the largest doubles, and -0 as 0. */
function identityOf({ key, value, timestamp, step }: MlflowMetric): string {
  const stored = Number.isNaN(value) ? value : Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value)) + 0;
  return JSON.stringify([key, String(stored), timestamp, step]);
}
