import type { EvaluateResult, EvaluateResults } from '../../../../proto/gen/graft/v1/task.ts';
import type { CompleteTaskRequest } from '../../../../proto/gen/graft/v1/trainer_service.ts';

type ProtoResult = NonNullable<CompleteTaskRequest['result']>;
type Prediction = EvaluateResult['predictions'][number];

/** Size of a part: far below the 4 MiB of a message, and large enough that 100,000 images need few parts. */
const PART_BYTES = 1024 * 1024;

/** Size of a test result's own fields; the trainer sends neither confusion matrix nor classes. */
const RESULT_BYTES = 200;

/**
 * Splits a result into parts that each fit into a message. Only predictions on the test split grow with the data: 16 runs on
 * 5,000 images are 4.5 MB. Each part repeats the head of the run's result.
 */
export function splitResult(result: ProtoResult, partBytes = PART_BYTES): readonly ProtoResult[] {
  if (result.$case !== 'evaluate') return [result];
  const parts: EvaluateResults[] = [];
  let results: EvaluateResult[] = [];
  let room = partBytes;
  for (const { testResult, predictions } of result.value.results) {
    let own: Prediction[] = [];
    results.push({ testResult, predictions: own });
    room -= RESULT_BYTES;
    for (const prediction of predictions) {
      const bytes = predictionBytes(prediction);
      if (room < bytes && own.length > 0) {
        parts.push({ results });
        own = [];
        results = [{ testResult, predictions: own }];
        room = partBytes - RESULT_BYTES;
      }
      own.push(prediction);
      room -= bytes;
    }
  }
  parts.push({ results });
  return parts.map((value) => ({ $case: 'evaluate', value }));
}

/** Joins the parts of a result; predictions of a run keep the order of their arrival. */
export class JoinedResult {
  readonly #results = new Map<string, EvaluateResult>();
  #whole: ProtoResult | undefined;
  #bytes = 0;

  /** Approximate memory use. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a part; returns false if it can't belong to the same result. */
  add(part: ProtoResult): boolean {
    if (this.#whole !== undefined && (this.#whole.$case !== 'evaluate' || part.$case !== 'evaluate')) return false;
    this.#whole ??= part.$case === 'evaluate' ? { $case: 'evaluate', value: { results: [] } } : part;
    if (part.$case !== 'evaluate') return true;
    for (const { testResult, predictions } of part.value.results) {
      const runId = testResult?.runId ?? '';
      const known = this.#results.get(runId);
      if (known === undefined) this.#results.set(runId, { testResult, predictions: [...predictions] });
      else for (const prediction of predictions) known.predictions.push(prediction);
      for (const prediction of predictions) this.#bytes += OBJECT_BYTES + predictionBytes(prediction);
    }
    return true;
  }

  /** The joined result; undefined before the first part. */
  get result(): ProtoResult | undefined {
    if (this.#whole?.$case !== 'evaluate') return this.#whole;
    return { $case: 'evaluate', value: { results: [...this.#results.values()] } };
  }
}

/** Memory of a prediction without its strings and probabilities: an object, two string headers, an array. */
const OBJECT_BYTES = 200;

/** Returns an upper bound of the encoded size: tags and lengths take less than 32 bytes. */
function predictionBytes(prediction: Omit<Prediction, 'probabilities'> & { probabilities: readonly number[] }): number {
  const { runId, path, probabilities } = prediction;
  return 32 + Buffer.byteLength(runId) + Buffer.byteLength(path) + 8 * probabilities.length;
}
