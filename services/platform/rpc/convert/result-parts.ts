import type { EvaluateResult, EvaluateResults } from '../../../../proto/gen/graft/v1/task.ts';
import type { CompleteTaskRequest } from '../../../../proto/gen/graft/v1/trainer_service.ts';

type ProtoResult = NonNullable<CompleteTaskRequest['result']>;
type Prediction = EvaluateResult['predictions'][number];

/** Of a part: far under the 4 MiB of a message, and so large that a result of a hundred thousand images has few. */
export const PART_BYTES = 1024 * 1024;

/** A test result's own fields, its confusion matrix and classes left out: the trainer sends none. */
const RESULT_BYTES = 200;

/**
 * Cuts a result into parts that fit into a message each; one part where the whole fits. Only predictions on the test split grow
 * with the data: 16 runs on 5,000 images are 4.5 MB. Each part of a run's result has its head.
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

/** Puts parts together, those of a run's result in the order in which they came. */
export class JoinedResult {
  readonly #results = new Map<string, EvaluateResult>();
  #whole: ProtoResult | undefined;
  #bytes = 0;

  /** About what it takes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns false where the two can't be parts of one result. */
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

  /** undefined where nothing was added. */
  get result(): ProtoResult | undefined {
    if (this.#whole?.$case !== 'evaluate') return this.#whole;
    return { $case: 'evaluate', value: { results: [...this.#results.values()] } };
  }
}

/** What a prediction takes in memory beside its strings and probabilities: an object, two strings' heads, an array. */
const OBJECT_BYTES = 200;

/** An upper bound: tags and lengths take less than 32 bytes. */
function predictionBytes(prediction: Omit<Prediction, 'probabilities'> & { probabilities: readonly number[] }): number {
  const { runId, path, probabilities } = prediction;
  return 32 + Buffer.byteLength(runId) + Buffer.byteLength(path) + 8 * probabilities.length;
}
