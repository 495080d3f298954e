import { basePoint } from '../samplers/baseline.ts';
import { orderDimensions } from '../samplers/dimensions.ts';
import { sampleRuns } from '../samplers/sample-runs.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { SamplerName, SuggestedRun } from './suggestion.ts';
import { pointDigest } from './untried-points.ts';
import { withGroups } from './with-groups.ts';

/** The first round of an adaptive sweep. */
export interface FirstRound {
  /** Runs by number. */
  readonly runs: readonly SuggestedRun[];
  /** Variants and draws that repeat an earlier one. */
  readonly duplicateCount: number;
  /** Runs that the space does not have. */
  readonly missingCount: number;
}

/** Returns the first round: the variants, or the defaults as the baseline, then Sobol points. A pure function of the spec. */
export function firstRound(spec: SweepSpec): FirstRound {
  const { runs, duplicateCount, missingCount } = sampleRuns(spec);
  const base = basePoint(spec);
  const variants = new Set(spec.variants.map((variant) => pointDigest({ ...base, ...variant })));
  const defaults = pointDigest(base);
  const samplerOf = (digest: string): SamplerName => {
    if (variants.has(digest)) return 'variant';
    return digest === defaults ? 'default' : 'sobol';
  };
  const drafts = runs.map(({ parameters, digest }) => ({ parameters, digest, sampler: samplerOf(digest), detail: {} }));
  return { runs: withGroups(orderDimensions(spec.parameters), drafts), duplicateCount, missingCount };
}
