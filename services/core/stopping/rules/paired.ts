import { isBetter } from '../../objective.ts';
import { alphaOfEach } from '../../statistics/spending.ts';
import { significant } from '../../text/significant.ts';
import { compareEvidence } from '../paired-evidence.ts';
import type { SearchPolicy } from '../policy.ts';
import type { Arrival, Rule } from '../rule.ts';
import { placement, verdict, whileFew } from '../rule.ts';
import type { RungEntry } from '../rung-table.ts';
import { promotionCut, rankedRivals, rivalCount } from '../rung-table.ts';

/** Entries under which the run at the cut was selected from so few that its luck is large: half the level is used. */
const LUCKY_CUT_UNDER = 12;

/**
 * Returns the entry that `paired` compares an arrival with, image by image: the one at the cut. null: the arrival is within the cut, or
 * too few runs have come.
 */
export function referenceOf(policy: SearchPolicy, arrival: Arrival): RungEntry | null {
  if (whileFew(enoughFor(policy), arrival) !== null) return null;
  const { objective, reductionFactor } = policy;
  const { table, entry } = arrival;
  const rivals = rankedRivals(objective, table);
  const cut = promotionCut(rivalCount(table), reductionFactor);
  const reference = rivals[cut - 1];
  const isBeyond = reference !== undefined && rivals.indexOf(entry) >= cut;
  return isBeyond && isBetter(objective, reference.value, entry.value) ? reference : null;
}

function enoughFor(policy: SearchPolicy): SearchPolicy {
  return { ...policy, minEntries: Math.max(policy.minEntries, policy.reductionFactor) };
}

/**
 * `paired`: a run is stopped only on evidence. It is compared, image by image, with the run at the cut (place ⌊n/η⌋ + 1), and
 * stopped if it is worse at level α/m, with m rungs before its end and α = 1 − confidence. So a run as good as that one is stopped
 * in its whole life with a chance of at most α. Runs that are hopeless (5 points) are seen on 200 images, close ones are left alone.
 */
export const paired: Rule = (policy, arrival) => {
  const few = whileFew(enoughFor(policy), arrival);
  if (few !== null) return few;
  const { objective, rule, confidence, reductionFactor } = policy;
  const { table, entry, path } = arrival;
  const rivals = rankedRivals(objective, table);
  const [place, count] = [rivals.indexOf(entry) + 1, rivalCount(table)];
  const cut = promotionCut(count, reductionFactor);
  const reference = referenceOf(policy, arrival);
  const standing = placement(place, count, entry);
  if (reference === null) {
    return verdict('CONTINUE', rule, `${standing}, within the cut of ${cut}`, { place, cut, count });
  }
  const other = `run ${reference.runIndex} at the cut`;
  const comparison = compareEvidence(
    objective,
    { name: 'this one', evidence: entry.evidence },
    { name: 'that one', evidence: reference.evidence },
  );
  if (comparison.pValue === null) {
    const reason = `${standing}: not compared with ${other}, because ${comparison.reason}`;
    return verdict('CONTINUE', rule, reason, { place, cut, count });
  }
  // 1 − 0.9 is 0.09999999999999998.
  const whole = Number((1 - confidence).toPrecision(12));
  const alpha = alphaOfEach(whole, path.length - 1) / (rivals.length < LUCKY_CUT_UNDER ? 2 : 1);
  const { pValue, shown } = comparison;
  const worse = pValue < alpha;
  const test = `p = ${significant(pValue, 2)} ${worse ? '<' : '≥'} ${significant(alpha, 2)}`;
  const reason = `${worse ? 'worse than' : 'not distinguishable from'} ${other}: ${shown}, ${test}`;
  return verdict(worse ? 'STOP' : 'CONTINUE', rule, reason, { place, cut, count, pValue, alpha });
};
