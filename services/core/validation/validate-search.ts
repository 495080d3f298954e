import { isObjectiveMetric } from '../objective.ts';
import type { Objective } from '../objective.ts';
import { MAX_RUNS } from '../samplers/sample-runs.ts';
import { MAX_PRIORITY, STOPPING_RULES } from '../sweep/search-spec.ts';
import type { BudgetSpec, RungEpochs, StoppingSpec } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { didYouMean } from '../text/nearest-name.ts';
import { show } from '../text/show.ts';
import { PossibleValues } from './possible-values.ts';
import { validateScreen } from './validate-screen.ts';
import { validateRounds } from './validate-rounds.ts';
import type { ViolationList } from './violations.ts';

export const SMALLEST_REDUCTION_FACTOR = 2;
export const LARGEST_REDUCTION_FACTOR = 10;
/** Maximum number of rungs that a stage may list; `auto` makes three. */
export const MAX_LISTED_RUNGS = 20;

const FINE_TUNES = 'fine_tune.enabled';
/** Largest integer of the protos' int32. */
const MAX_INT32 = 2 ** 31 - 1;

/** Checks how a sweep is stopped, bounded and scheduled. */
export function validateSearch(spec: SweepSpec, found: ViolationList): void {
  if (spec.stopping !== undefined) validateStopping(spec, spec.stopping, found);
  if (spec.budget !== undefined) validateBudget(spec.budget, spec.objective, found);
  validateScreen(spec, found);
  validateRounds(spec, found);
  validateScheduling(spec, found);
}

/** Checks the priority and the bound on slots, which people may change later. */
export function validateScheduling(
  { priority, maxParallelSlots }: Pick<SweepSpec, 'priority' | 'maxParallelSlots'>,
  found: ViolationList,
): void {
  if (maxParallelSlots !== undefined) {
    requireInteger('max_parallel_slots', maxParallelSlots, 1, null, found);
  }
  if (priority !== undefined) requireInteger('priority', priority, -MAX_PRIORITY, MAX_PRIORITY, found);
}

function validateStopping(spec: SweepSpec, stopping: StoppingSpec, found: ViolationList): void {
  const { rule, minEntries, percentile, threshold, patience } = stopping;
  if (rule !== null && !STOPPING_RULES.includes(rule)) {
    const rules = STOPPING_RULES.join(', ');
    found.add('stopping.rule', `must be one of ${rules}; received ${show(rule)}.${didYouMean(rule, STOPPING_RULES)}`);
  }
  const factor = stopping.reductionFactor;
  requireInteger('stopping.reduction_factor', factor, SMALLEST_REDUCTION_FACTOR, LARGEST_REDUCTION_FACTOR, found);
  if (minEntries !== null) requireInteger('stopping.min_entries', minEntries, 1, MAX_RUNS, found);
  if (!(percentile > 0 && percentile < 100)) {
    found.add('stopping.percentile', `must be above 0 and below 100; received ${show(percentile)}.`);
  }
  validateConfidence('stopping.confidence', stopping.confidence, found);
  requireInteger('stopping.keep_paused', stopping.keepPaused, 0, MAX_RUNS, found);
  if (stopping.rungs !== null) validateRungs(spec, stopping.rungs, found);
  if (rule === 'threshold' && threshold === null) {
    found.add('stopping.threshold', 'is missing: the rule is threshold. Give it, for example { worse_than: 0.5 }.');
  }
  if (rule === 'patience' && patience === null) {
    found.add('stopping.patience', 'is missing: the rule is patience. Give it, for example { epochs: 5 }.');
  }
  if (threshold !== null) {
    validateValue('stopping.threshold.worse_than', threshold.worseThan, spec.objective, found);
    const { fromEpoch } = threshold;
    const field = 'stopping.threshold.from_epoch';
    if (requireInteger(field, fromEpoch, 1, null, found)) {
      const possible = new PossibleValues(spec);
      const fineTunes = possible.anyOfPossible(FINE_TUNES, [true]);
      const last = Math.max(
        possible.largestNumber('epochs'),
        fineTunes ? possible.largestNumber('fine_tune.epochs') : 0,
      );
      if (fromEpoch > last) found.add(field, beyondEnd(fromEpoch, 'a stage', last));
    }
  }
  if (patience !== null) {
    requireInteger('stopping.patience.epochs', patience.epochs, 1, null, found);
    if (!(patience.minDelta >= 0 && Number.isFinite(patience.minDelta))) {
      found.add('stopping.patience.min_delta', `must be at least 0; received ${show(patience.minDelta)}.`);
    }
  }
}

function validateRungs(spec: SweepSpec, rungs: RungEpochs, found: ViolationList): void {
  const possible = new PossibleValues(spec);
  const fields = { head: 'stopping.rungs.head', fineTune: 'stopping.rungs.fine_tune' };
  if (rungs.head.length > 0 && !possible.anyOfPossible('method', ['augmented'])) {
    found.add(
      fields.head,
      'are for method: augmented only: cached heads train in seconds, and are compared at their end. Leave them out.',
    );
  } else {
    validateEpochs(fields.head, rungs.head, 'a head', possible.largestNumber('epochs'), found);
  }
  if (rungs.fineTune.length > 0 && !possible.anyOfPossible(FINE_TUNES, [true])) {
    found.add(
      fields.fineTune,
      'have no run to compare: no run is fine-tuned. Leave them out, or set fine_tune.enabled: true.',
    );
  } else {
    validateEpochs(fields.fineTune, rungs.fineTune, 'fine-tuning', possible.largestNumber('fine_tune.epochs'), found);
  }
}

function validateEpochs(
  field: string,
  epochs: readonly number[],
  phase: string,
  last: number,
  found: ViolationList,
): void {
  if (epochs.length > MAX_LISTED_RUNGS) {
    found.add(field, `may list at most ${MAX_LISTED_RUNGS} epochs; received ${epochs.length}.`);
  }
  epochs.forEach((epoch, index) => {
    const at = `${field}[${index}]`;
    const before = epochs[index - 1];
    if (!requireInteger(at, epoch, 1, null, found)) return;
    if (before !== undefined && epoch <= before) {
      found.add(at, `must rise: epoch ${epoch} follows epoch ${before}. Sort the epochs, each of them once.`);
    } else if (epoch > last) {
      found.add(at, beyondEnd(epoch, phase, last));
    }
  });
}

function beyondEnd(epoch: number, phase: string, last: number): string {
  return `lies beyond the end of every run: the longest training of ${phase} has ${last} epochs; received ${epoch}.`;
}

function validateBudget(budget: BudgetSpec, objective: Objective, found: ViolationList): void {
  const { slotSeconds, wallSeconds, target, patienceRounds } = budget;
  if (slotSeconds === null && wallSeconds === null && target === null && patienceRounds === undefined) {
    found.add(
      'budget',
      'sets no bound. Give slot_seconds, wall_time, target or patience_rounds, or leave the section out.',
    );
  }
  for (const [field, seconds] of [
    ['budget.slot_seconds', slotSeconds],
    ['budget.wall_seconds', wallSeconds],
  ] as const) {
    if (seconds === null || (seconds > 0 && Number.isFinite(seconds))) continue;
    found.add(field, `must be above 0; received ${show(seconds)}. Leave it out for no bound.`);
  }
  if (target === null) return;
  validateConfidence('budget.target.confidence', target.confidence, found);
  if (!validateValue('budget.target.value', target.value, objective, found)) return;
  if (objective.metric === 'val_accuracy' && target.value === 1) {
    found.add(
      'budget.target.value',
      'must be below 1: the lower bound of an accuracy is below 1 for any number of images; received 1.',
    );
  }
}

function validateConfidence(field: string, value: number, found: ViolationList): void {
  if (value >= 0.5 && value < 1) return;
  found.add(field, `must be at least 0.5 and below 1, for example 0.9; received ${show(value)}.`);
}

/** Checks a value of the objective's metric: losses are at least 0, all others lie between 0 and 1. */
function validateValue(field: string, value: number, { metric }: Objective, found: ViolationList): boolean {
  // An unknown metric is reported in its own place.
  if (!isObjectiveMetric(metric)) return false;
  const isLoss = metric === 'val_loss';
  if (value >= 0 && (isLoss ? Number.isFinite(value) : value <= 1)) return true;
  const range = isLoss ? 'at least 0' : 'from 0 to 1';
  found.add(field, `must be ${range}, as the objective ${metric} is; received ${show(value)}.`);
  return false;
}

function requireInteger(field: string, value: number, min: number, max: number | null, found: ViolationList): boolean {
  const largest = max ?? MAX_INT32;
  if (Number.isInteger(value) && value >= min && value <= largest) return true;
  const range = max === null ? `of at least ${min}` : `from ${min} to ${max}`;
  found.add(field, `must be an integer ${range}; received ${show(value)}.`);
  return false;
}
