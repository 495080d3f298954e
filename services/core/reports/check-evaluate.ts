import type { LossConfig } from '../run-config.ts';
import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { TestMeasurement, TestPrediction, TestRole } from '../task.ts';
import { lossBounds } from './loss-bounds.ts';
import { Mistakes } from './mistakes.ts';
import { shown } from './text-rules.ts';

/** A run that is to be evaluated. */
export interface EvaluatedRun {
  readonly runId: string;
  /** The checkpoint that the task named; empty: none. */
  readonly checkpointId: string;
  readonly role: TestRole;
  readonly labelSmoothing: number;
  readonly loss: LossConfig['name'];
  /** True: its loss includes a penalty of weights, which the predictions do not show. */
  readonly hasPenalty: boolean;
}

/** The test split. */
export interface TestSplit {
  readonly classCount: number;
  /** Number of images by class; empty: not known. */
  readonly imageCounts: readonly number[];
  /** Label of each image by its path, from the manifest; null: the manifest could not be read. */
  readonly labels: ReadonlyMap<string, number> | null;
}

/** Tolerance for the rounding of probabilities. */
const TOLERANCE = 1e-4;
const MAX_PATH = 8_192;

/** Returns the mistakes in the result of EVALUATE. */
export function checkEvaluate(
  measurements: readonly TestMeasurement[],
  runs: readonly EvaluatedRun[],
  split: TestSplit,
): FieldViolation[] {
  const mistakes = new Mistakes();
  const left = new Map(runs.map((run) => [run.runId, run]));
  for (const [index, measurement] of measurements.entries()) {
    const field = `evaluate.results[${index}]`;
    const run = left.get(measurement.runId);
    if (run === undefined) {
      mistakes.add(
        `${field}.test_result.run_id`,
        `must be each run of the task, once; received ${shown(measurement.runId)}.`,
      );
      continue;
    }
    left.delete(run.runId);
    checkHead(measurement, run, `${field}.test_result`, mistakes);
    const before = mistakes.list.length;
    checkPredictions(measurement.predictions, split, `${field}.predictions`, mistakes);
    if (mistakes.list.length === before) {
      mistakes.add(`${field}.test_result.loss`, lossMistake(measurement, run));
    }
  }
  if (left.size > 0) {
    const expected = [...left.values()].map(({ runId, checkpointId }) => `${runId} from ${checkpointId}`);
    mistakes.add('evaluate.results', `must be of all runs of the task; missing: ${expected.join(', ')}.`);
  }
  return mistakes.list;
}

function checkHead(measurement: TestMeasurement, run: EvaluatedRun, field: string, mistakes: Mistakes): void {
  const { checkpointId, role } = measurement;
  if (checkpointId !== run.checkpointId) {
    mistakes.add(`${field}.checkpoint_id`, `must be ${run.checkpointId}, as asked; received ${shown(checkpointId)}.`);
  }
  if (role !== run.role) mistakes.add(`${field}.role`, `must be ${run.role}, as asked; received ${role}.`);
}

/** Checks that each image of the split occurs once, with its label, and a class that its probabilities predict. */
function checkPredictions(
  predictions: readonly TestPrediction[],
  split: TestSplit,
  field: string,
  mistakes: Mistakes,
): void {
  const seen = new Set<string>();
  const counts = new Array<number>(split.classCount).fill(0);
  for (const [index, prediction] of predictions.entries()) {
    const { path, label } = prediction;
    const own = `${field}[${index}]`;
    mistakes.add(`${own}.path`, pathMistake(path, seen, split));
    seen.add(path);
    const known = split.labels?.get(path);
    if (!isClass(label, split.classCount) || (known !== undefined && label !== known)) {
      const wanted = known === undefined ? `0 to ${split.classCount - 1}` : `${known}, that of the image`;
      mistakes.add(`${own}.label`, `must be ${wanted}; received ${label}.`);
    } else counts[label] = (counts[label] ?? 0) + 1;
    checkProbabilities(prediction, split.classCount, own, mistakes);
  }
  const expected = split.labels === null ? sum(split.imageCounts) : split.labels.size;
  if (split.labels === null && split.imageCounts.length === 0) return;
  if (predictions.length !== expected) {
    mistakes.add(field, `must be of the ${expected} images of the test split; received ${predictions.length}.`);
  } else if (split.labels === null && split.imageCounts.some((count, label) => count !== counts[label])) {
    mistakes.add(field, `must be of ${split.imageCounts.join(', ')} images by class; received ${counts.join(', ')}.`);
  }
}

function pathMistake(path: string, seen: ReadonlySet<string>, { labels }: TestSplit): string | null {
  if (seen.has(path)) return `must be each image once; received ${shown(path)} twice.`;
  if (labels !== null) return labels.has(path) ? null : `must be of the test split; received ${shown(path)}.`;
  return path === '' || path.length > MAX_PATH || path.includes('\0')
    ? `must be the path of an image; received ${shown(path)}.`
    : null;
}

function checkProbabilities(
  { predictedLabel, probabilities }: TestPrediction,
  classCount: number,
  field: string,
  mistakes: Mistakes,
): void {
  if (!isClass(predictedLabel, classCount)) {
    mistakes.add(`${field}.predicted_label`, `must be 0 to ${classCount - 1}; received ${predictedLabel}.`);
    return;
  }
  const isComplete = probabilities.length === classCount || (classCount === 2 && probabilities.length === 1);
  const isRange = probabilities.every((p) => p >= 0 && p <= 1 + TOLERANCE);
  const total = sum(probabilities);
  if (!isComplete || !isRange || (probabilities.length > 1 && Math.abs(total - 1) > TOLERANCE)) {
    const received = `${probabilities.length}: ${probabilities.slice(0, 5).join(', ')}`;
    mistakes.add(`${field}.probabilities`, `must be ${classCount}, each 0 to 1, 1 in all; received ${received}.`);
    return;
  }
  const all = allProbabilities(probabilities);
  const largest = all.reduce((a, b) => Math.max(a, b), 0);
  if ((all[predictedLabel] ?? 0) >= largest - TOLERANCE) return;
  const description = `must be the class with the largest probability, ${largest}; received ${predictedLabel}.`;
  mistakes.add(`${field}.predicted_label`, description);
}

/** Compares the loss with the bounds that the predictions allow: it was computed from logits, which are more precise. */
function lossMistake({ loss, predictions }: TestMeasurement, run: EvaluatedRun): string | null {
  const [leastEntropy, most] = lossBounds(
    predictions.map(({ label, probabilities }) => ({ label, probabilities: allProbabilities(probabilities) })),
    run.labelSmoothing,
  );
  // The factors of the focal loss are 0 to 1.
  const least = run.loss === 'focal' ? Math.min(0, leastEntropy) : leastEntropy;
  if (predictions.length === 0) return null;
  if (loss >= least && (run.hasPenalty ? loss < Infinity : loss <= most)) return null;
  return `must be ${least} to ${run.hasPenalty ? 'any finite number' : most}, as the predictions say; received ${loss}.`;
}

/** Returns the probabilities of all classes; one sigmoid unit gives that of class 1. */
function allProbabilities(probabilities: readonly number[]): readonly number[] {
  const [only] = probabilities;
  return probabilities.length === 1 && only !== undefined ? [1 - only, only] : probabilities;
}

function isClass(label: number, classCount: number): boolean {
  return Number.isInteger(label) && label >= 0 && label < classCount;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
