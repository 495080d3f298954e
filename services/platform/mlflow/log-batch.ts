import { MLFLOW_LIMITS } from './limits.ts';

/** One point of a metric's history. */
export interface MlflowMetric {
  readonly key: string;
  /** NaN and infinities are preserved. */
  readonly value: number;
  /** Milliseconds since 1970. It is part of the point's identity, so repeated requests must send the same value. */
  readonly timestamp: number;
  readonly step: number;
}

/** A parameter or a tag. */
export interface MlflowPair {
  readonly key: string;
  readonly value: string;
}

export interface RunData {
  readonly metrics?: readonly MlflowMetric[];
  readonly params?: readonly MlflowPair[];
  readonly tags?: readonly MlflowPair[];
}

/** Body of `runs/log-batch` as JSON. */
export interface LogBatchBody {
  readonly run_id: string;
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
  readonly params: readonly MlflowPair[];
  readonly tags: readonly MlflowPair[];
}

/**
 * Splits data into batches within the server's limits, parameters first: a run without them is harder to interpret than
 * one without its latest epochs. Everything is sorted by key: MLflow locks its rows of the latest metrics in that
 * order, and two writers in different orders have deadlocked (mlflow#24923).
 */
export function packBatches(runId: string, data: RunData): LogBatchBody[] {
  const batches: OpenBatch[] = [];
  const put = (list: 'metrics' | 'params' | 'tags', item: Readonly<Record<string, unknown>>): void => {
    const bytes = Buffer.byteLength(JSON.stringify(item)) + 1;
    let batch = batches.at(-1);
    if (!batch?.hasRoom(list, bytes)) batches.push((batch = new OpenBatch()));
    batch.put(list, item, bytes);
  };
  for (const { key, value } of (data.params ?? []).toSorted(byKey)) put('params', { key, value });
  for (const { key, value } of (data.tags ?? []).toSorted(byKey)) put('tags', { key, value });
  for (const metric of (data.metrics ?? []).toSorted(byPoint)) put('metrics', encodeMetric(metric));
  return batches.map((batch) => ({ run_id: runId, ...batch.lists }) as unknown as LogBatchBody);
}

/** Encodes a metric. JSON has no NaN and infinities; protobuf's JSON mapping, which the server uses, does. */
export function encodeMetric({ key, value, timestamp, step }: MlflowMetric): Readonly<Record<string, unknown>> {
  return { key, value: Number.isFinite(value) ? value : String(value), timestamp, step };
}

const MAX_COUNTS = {
  metrics: MLFLOW_LIMITS.metricsPerBatch,
  params: MLFLOW_LIMITS.paramsPerBatch,
  tags: MLFLOW_LIMITS.tagsPerBatch,
} as const;

class OpenBatch {
  readonly lists: Record<keyof typeof MAX_COUNTS, Readonly<Record<string, unknown>>[]> = {
    metrics: [],
    params: [],
    tags: [],
  };
  #count = 0;
  #bytes = 0;

  hasRoom(list: keyof typeof MAX_COUNTS, bytes: number): boolean {
    return (
      this.lists[list].length < MAX_COUNTS[list] &&
      this.#count < MLFLOW_LIMITS.entitiesPerBatch &&
      this.#bytes + bytes <= MLFLOW_LIMITS.batchBytes
    );
  }

  put(list: keyof typeof MAX_COUNTS, item: Readonly<Record<string, unknown>>, bytes: number): void {
    this.lists[list].push(item);
    this.#count += 1;
    this.#bytes += bytes;
  }
}

function byKey(a: { readonly key: string }, b: { readonly key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function byPoint(a: MlflowMetric, b: MlflowMetric): number {
  return byKey(a, b) || a.step - b.step || a.timestamp - b.timestamp;
}
