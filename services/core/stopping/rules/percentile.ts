import type { Objective } from '../../objective.ts';
import { quantile } from '../../statistics/quantile.ts';
import { significant } from '../../text/significant.ts';
import type { Rule } from '../rule.ts';
import { ruleOf } from '../policy.ts';
import { placement, verdict, whileFew } from '../rule.ts';
import { rankedRivals, rivalCount } from '../rung-table.ts';

/**
 * `percentile`, and `median` with 50: a run is stopped if its best value so far is worse than that percentile of the other runs'
 * values at this rung. Optuna's `PercentilePruner` (https://optuna.readthedocs.io) with two differences: runs that were stopped count
 * as well, because those that are left are a selection, and the best value is that of the stage.
 */
export const percentile: Rule = (policy, arrival) => {
  const few = whileFew(policy, arrival);
  if (few !== null) return few;
  const { objective, rule } = policy;
  const { table, entry } = arrival;
  const rivals = rankedRivals(objective, table);
  const [place, count] = [rivals.indexOf(entry) + 1, rivalCount(table)];
  const others = rivals.filter((rival) => rival !== entry).map(({ value }) => goodness(objective, value));
  const failed = Array.from({ length: table.failedCount }, () => -Infinity);
  const part = ruleOf(policy) === 'median' ? 50 : policy.percentile;
  const limit = quantileOf([...failed, ...others], part / 100);
  const best = Math.max(...[...arrival.earlier, entry].map(({ value }) => goodness(objective, value)));
  const name = part === 50 ? 'the median' : `the ${significant(part)} % that is stopped: its upper end is`;
  const shown = `best so far ${shownValue(objective, best)}, ${name} ${shownValue(objective, limit)} of ${others.length} other runs`;
  const reason = `${placement(place, count, entry)}; ${shown}`;
  return verdict(best < limit ? 'STOP' : 'CONTINUE', rule, reason, { place, count });
};

/** Turns a value so that larger is better; NaN is the worst. */
function goodness({ goal }: Objective, value: number): number {
  if (Number.isNaN(value)) return -Infinity;
  return goal === 'maximize' ? value : -value;
}

function shownValue({ goal }: Objective, turned: number): string {
  return significant(goal === 'maximize' ? turned : -turned);
}

/** Returns a quantile; there is nothing between a failed run and a value. */
function quantileOf(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const below = sorted[Math.floor((sorted.length - 1) * part)] ?? -Infinity;
  return Number.isFinite(below) ? quantile(sorted, part) : below;
}
