import type { FieldViolation } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';
import { Mistakes } from './mistakes.ts';
import { shown } from './text-rules.ts';

/** Metrics of one epoch of one run. */
export interface EpochReport {
  readonly runId: string;
  readonly stage: Stage;
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  readonly names: readonly string[];
  /** Values in the order of the names; NaN and infinities are kept. */
  readonly values: readonly number[];
}

/** The task that a batch of metrics belongs to. */
export interface MetricFacts {
  readonly taskId: string;
  readonly stage: Stage;
  /** Number of epochs of the stage, by run of the task. */
  readonly epochLimits: ReadonlyMap<string, number>;
}

/** Tolerance for the rounding of a loss near 0, in float32, of logits up to ten thousand. */
export const LOSS_ROUNDING = 1e-3;
const MAX_EPOCHS = 8_192;

/** A loss is not finite where training diverged, but never −∞, which would be best. */
const loss = (value: number): string | null =>
  Number.isNaN(value) || value >= -LOSS_ROUNDING ? null : 'must be 0 or above, or not a number';
const accuracy = (value: number): string | null =>
  Number.isNaN(value) || value === -Infinity || (value >= 0 && value <= 1) ? null : 'must be 0 to 1, or not a number';
const measure = (value: number): string | null =>
  value >= 0 && value < Infinity ? null : 'must be finite and 0 or above';

/** The closed list of metrics, each with a function that describes a wrong value. */
const METRICS: Readonly<Record<string, (value: number) => string | null>> = {
  loss,
  accuracy,
  val_loss: loss,
  val_accuracy: accuracy,
  val_macro_f1: accuracy,
  val_balanced_accuracy: accuracy,
  val_auc: accuracy,
  learning_rate: measure,
  seconds: measure,
  images_per_second: measure,
};

const METRIC_NAMES: readonly string[] = Object.keys(METRICS);

/** Describes a wrong value of a metric; null: it is plausible. */
export function metricMistake(name: string, value: number): string | null {
  const rule = Object.hasOwn(METRICS, name) ? METRICS[name] : undefined;
  if (rule === undefined) return `must be of ${METRIC_NAMES.join(', ')}; received ${shown(name)}.`;
  const mistake = rule(value);
  return mistake === null ? null : `of ${name} ${mistake}; received ${value}.`;
}

/** Returns the mistakes in a batch that can be found without stored metrics. */
export function checkMetrics(epochs: readonly EpochReport[], facts: MetricFacts): FieldViolation[] {
  const mistakes = new Mistakes();
  if (epochs.length > MAX_EPOCHS) {
    return [{ field: 'epochs', description: `must be at most ${MAX_EPOCHS}; received ${epochs.length}.` }];
  }
  const seen = new Set<string>();
  for (const [index, report] of epochs.entries()) {
    const field = `epochs[${index}]`;
    const limit = facts.epochLimits.get(report.runId);
    if (limit === undefined) {
      mistakes.add(`${field}.run_id`, `${shown(report.runId)} is no run of task ${facts.taskId}.`);
    }
    if (report.stage !== facts.stage) {
      mistakes.add(`${field}.stage`, `must be ${facts.stage}; received ${report.stage}.`);
    }
    mistakes.count(`${field}.epoch`, report.epoch, 1, limit ?? Infinity);
    const key = `${report.runId} ${report.epoch}`;
    if (seen.has(key)) mistakes.add(`${field}.epoch`, `comes twice in the batch: ${report.epoch}.`);
    seen.add(key);
    checkValues(report, field, mistakes);
  }
  return mistakes.list;
}

function checkValues({ names, values }: EpochReport, field: string, mistakes: Mistakes): void {
  if (new Set(names).size !== names.length) {
    mistakes.add(`${field}.names`, `must be each only once; received ${shown(names.join(', '))}.`);
  }
  if (names.length !== values.length) {
    mistakes.add(`${field}.values`, `must be as many as names (${names.length}); received ${values.length}.`);
    return;
  }
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? Number.NaN;
    const isKnown = Object.hasOwn(METRICS, name);
    mistakes.add(`${field}.${isKnown ? 'values' : 'names'}[${index}]`, metricMistake(name, value));
  }
}
