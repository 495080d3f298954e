import { versionOf } from '../policy.ts';
import { promotionCut, rankedRivals, rivalCount } from '../rung-table.ts';
import type { Rule } from '../rule.ts';
import { placement, verdict } from '../rule.ts';

/**
 * `promotion`: a run pauses at each rung. The k = ⌊n/η⌋ + 1 best of n are promoted (`advance.ts`), none before `minEntries` have
 * come. Nothing is stopped for good until the search ends: asynchronous successive halving with pauses (Li et al. 2020, ASHA,
 * https://arxiv.org/abs/1810.05934), with one more run beyond each cut.
 */
export const promotion: Rule = (policy, { table, entry }) => {
  const rivals = rankedRivals(policy.objective, table);
  const place = rivals.indexOf(entry) + 1;
  const count = rivalCount(table);
  const few = rivals.length < policy.minEntries;
  const cut = few ? null : promotionCut(count, policy.reductionFactor);
  const waits = few
    ? `waits until ${policy.minEntries} runs have come${versionOf(policy) === 1 ? '' : ', or none can come any more'}`
    : `the best ${promotionCut(count, policy.reductionFactor)} are promoted`;
  return verdict('PAUSE', policy.rule, `${placement(place, count, entry)}; ${waits}`, { place, cut, count });
};
