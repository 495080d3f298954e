import { ruleOf } from './policy.ts';
import type { SearchPolicy } from './policy.ts';

/** Describes in one sentence how a sweep compares its runs. */
export function describePolicy(policy: SearchPolicy): string {
  const { threshold, patience, synchronous } = policy;
  const parts = [
    ruleInWords(policy),
    ...(synchronous ? ['a rung decides when no other run can reach it'] : []),
    ...(threshold === null
      ? []
      : [`a run that is worse than ${threshold.worseThan} stops, from epoch ${threshold.fromEpoch} on`]),
    ...(patience === null ? [] : [`a run without progress for ${patience.epochs} epochs stops`]),
  ];
  return `${parts.join('; ')}.`;
}

function ruleInWords(policy: SearchPolicy): string {
  const { reductionFactor, minEntries, percentile, confidence, promoteIdle } = policy;
  const from = `from ${minEntries} runs at a rung on`;
  switch (ruleOf(policy)) {
    case 'promotion':
      return `runs pause at each rung, and the best ⌊n/${reductionFactor}⌋ + 1 of n are promoted, ${from}${promoteIdle && !policy.synchronous ? '; idle slots promote the best paused run' : ''}`;
    case 'asha':
      return `a run stops at a rung unless it is among the best 1/${reductionFactor} there, ${from}`;
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
