import type { Objective } from '../objective.ts';
import { isBetter } from '../objective.ts';
import type { BudgetSpec, TargetSpec } from '../sweep/search-spec.ts';
import { normalQuantile } from '../statistics/normal.ts';
import { wilsonInterval } from '../statistics/wilson-interval.ts';

/** Causes that end a search without a person. */
export type SearchEndCause = 'ALL_DECIDED' | 'BUDGET' | 'WALL_TIME' | 'TARGET' | 'SPACE_EXHAUSTED' | 'PATIENCE';

/** A bound that ends a search, and a sentence that says so. */
export interface BoundReached {
  readonly cause: SearchEndCause;
  readonly reason: string;
}

/** The bounds of a sweep, and its use of them. */
export interface Spending {
  /** The current one, which people may change; null: no bound. */
  readonly budget: BudgetSpec | null;
  /** Seconds of all attempts so far, lost ones included. */
  readonly spentSeconds: number;
  /** Forecast of what is committed: the rest of the open tasks, and the evaluation. */
  readonly reservedSeconds: number;
  /** Seconds since the first lease; null: there was none. */
  readonly wallSeconds: number | null;
  /** The best run's value with the number of validation images; null: no run has a value. */
  readonly best: { readonly value: number; readonly imageCount: number } | null;
}

/** Returns whether slot-seconds are bounded. */
export function isBounded(budget: BudgetSpec | null): budget is BudgetSpec & { readonly slotSeconds: number } {
  return budget !== null && budget.slotSeconds !== null;
}

/** Returns the slot-seconds that can be committed; Infinity without a bound. */
export function freeSeconds({ budget, spentSeconds, reservedSeconds }: Spending): number {
  return isBounded(budget) ? Math.max(0, budget.slotSeconds - spentSeconds - reservedSeconds) : Infinity;
}

/** Returns why a bound ends the search now, as a cause and a sentence; null: none does. */
export function boundReached(
  objective: Objective,
  { budget, spentSeconds, wallSeconds, best }: Spending,
): BoundReached | null {
  if (budget === null) return null;
  if (budget.target !== null && best !== null) {
    const reason = targetReached(objective, budget.target, best);
    if (reason !== null) return { cause: 'TARGET', reason };
  }
  if (budget.slotSeconds !== null && spentSeconds >= budget.slotSeconds) {
    const reason = `${seconds(spentSeconds)} of ${seconds(budget.slotSeconds)} slot-seconds are spent`;
    return { cause: 'BUDGET', reason };
  }
  if (budget.wallSeconds !== null && wallSeconds !== null && wallSeconds >= budget.wallSeconds) {
    const reason = `${seconds(wallSeconds)} of ${seconds(budget.wallSeconds)} seconds have passed since the first lease`;
    return { cause: 'WALL_TIME', reason };
  }
  return null;
}

/** Returns how the best run reaches a target; null: it does not. */
function targetReached(
  objective: Objective,
  { value: target, confidence }: TargetSpec,
  best: { readonly value: number; readonly imageCount: number },
): string | null {
  const reaches = (value: number): boolean => !Number.isNaN(value) && !isBetter(objective, target, value);
  if (objective.metric !== 'val_accuracy') {
    return reaches(best.value) ? `the best ${objective.metric}, ${digits(best.value)}, reaches ${target}` : null;
  }
  if (Number.isNaN(best.value)) return null;
  const correct = Math.round(best.value * best.imageCount);
  // A one-sided bound: only the lower end counts.
  const { low } = wilsonInterval(correct, best.imageCount, normalQuantile(confidence));
  if (!reaches(low)) return null;
  return `the best val_accuracy is ${digits(best.value)}, and above ${digits(low)} with ${confidence * 100} % confidence: it reaches ${target}`;
}

function seconds(value: number): string {
  return Math.round(value).toString();
}

function digits(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
