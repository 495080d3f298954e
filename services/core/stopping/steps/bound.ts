import type { SearchEnd } from '../action.ts';
import type { BoundReached } from '../budget.ts';
import type { SearchPolicy } from '../policy.ts';
import { versionOf } from '../policy.ts';
import type { Step } from './step.ts';

/** Ends a search at once when a bound is reached while runs train, and when the target is reached. */
export const endAtBound: Step = ({ policy, bound, isLive }) => {
  if (bound === null) return null;
  return isLive || bound.cause === 'TARGET' || versionOf(policy) === 1 ? endBy(policy, bound) : null;
};

/** Ends a search in which only promotions are left, beyond a bound. A bound that is reached when nothing is left to do ends nothing. */
export const endBeforePromotions: Step = ({ policy, bound, views }) => {
  if (bound === null || !views.some(({ candidates, unpaid }) => candidates.length + unpaid.length > 0)) return null;
  return endBy(policy, bound);
};

export function endBy({ rule }: SearchPolicy, bound: BoundReached): SearchEnd {
  return { kind: 'END', rule, ...bound };
}
