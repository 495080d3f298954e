import type { FinalistSpec } from '../sweep/finalist-spec.ts';
import { countOf } from '../text/count-of.ts';
import type { BudgetSpec } from '../sweep/search-spec.ts';
import { promotesIdle, ruleOf } from './policy.ts';
import type { SearchPolicy } from './policy.ts';
import type { RoundsPolicy } from './rounds-policy.ts';

/** Describes in one sentence how a sweep compares its runs. @param budget the present one; null: there is none */
export function describePolicy(policy: SearchPolicy, budget: BudgetSpec | null): string {
  const { threshold, patience, synchronous, finalists } = policy;
  const parts = [
    ...(policy.screen === undefined
      ? []
      : [
          "probes keep the best backbone, those that are not distinguishable from it, and the baseline's, at most " +
            `${policy.screen.keep}`,
        ]),
    ...(policy.rounds === undefined ? [] : [roundsInWords(policy.rounds)]),
    ruleInWords(policy),
    ...(promotesIdle(policy, budget)
      ? ['a slot that would idle while the sweep still trains promotes the best run that waits at the lowest rung']
      : []),
    ...(synchronous ? ['a rung decides when no other run can reach it'] : []),
    ...(threshold === null
      ? []
      : [`a run that is worse than ${threshold.worseThan} stops, from epoch ${threshold.fromEpoch} on`]),
    ...(patience === null ? [] : [`a run without progress for ${patience.epochs} epochs stops`]),
    ...(finalists === undefined ? [] : [finalistsInWords(finalists)]),
  ];
  return `${parts.join('; ')}.`;
}

function finalistsInWords({ runs, seeds }: FinalistSpec): string {
  const further = countOf(seeds - 1, 'further seed');
  return `at the end the best runs, as far as a paired test can't distinguish them and at most ${runs}, are repeated with ${further}`;
}

function roundsInWords({ sampler, fineTunes, variesFineTuning }: RoundsPolicy): string {
  const last = fineTunes && !variesFineTuning ? '; runs are promoted from there after the last round' : '';
  return `${sampler} asks for runs in rounds, each when all runs before have ended their heads${last}`;
}

function ruleInWords(policy: SearchPolicy): string {
  const { reductionFactor, minEntries, percentile, confidence } = policy;
  const from = `from ${minEntries} runs at a rung on`;
  switch (ruleOf(policy)) {
    case 'promotion':
      return `runs pause at each rung, and the best ⌊n/${reductionFactor}⌋ + 1 of n are promoted, ${from}`;
    case 'asha':
      return `a run stops at a rung if more than 1/${reductionFactor} of the runs there are better, ${from}`;
    case 'median':
      return `a run stops at a rung if it is worse than the median there, ${from}`;
    case 'percentile':
      return `a run stops at a rung if it is among the worst ${percentile} % there, ${from}`;
    case 'paired':
      return `a run stops at a rung if a paired test on the validation images finds it worse than the entry at the cut, with confidence ${confidence} over its life, ${from}`;
    case 'threshold':
    case 'patience':
    case 'none':
      return 'no run is compared with another';
  }
}
