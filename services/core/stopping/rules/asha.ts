import { significant } from '../../text/significant.ts';
import type { Rule } from '../rule.ts';
import { placement, verdict, whileFew } from '../rule.ts';
import { isBetter } from '../../objective.ts';
import { rankedRivals, rivalCount } from '../rung-table.ts';

/**
 * `asha`: a run continues if at most 1/η of the runs at its rung are better, and is stopped otherwise; equal runs continue
 * together. Asynchronous successive halving that stops (Li et al. 2020, https://arxiv.org/abs/1810.05934) with the condition of
 * Syne Tune's `ASHA`: it spends a fourth more epochs than ⌊n/η⌋ and has half the regret.
 */
export const asha: Rule = (policy, arrival) => {
  const few = whileFew(policy, arrival);
  if (few !== null) return few;
  const { table, entry } = arrival;
  const rivals = rankedRivals(policy.objective, table);
  const count = rivalCount(table);
  const better = rivals.filter(({ value }) => isBetter(policy.objective, value, entry.value)).length;
  const [place, cut] = [better + 1, Math.floor(count / policy.reductionFactor) + 1];
  const part = `the best ${cut} continue (1 in ${significant(policy.reductionFactor)})`;
  const reason = `${placement(place, count, entry)}; ${part}${lastOf(rivals[cut - 1])}`;
  return verdict(place <= cut ? 'CONTINUE' : 'STOP', policy.rule, reason, { place, cut, count });
};

function lastOf(entry: { readonly runIndex: number; readonly value: number } | undefined): string {
  return entry === undefined ? '' : `, the last of them run ${entry.runIndex} with ${significant(entry.value)}`;
}
