import { digestOf } from '../digest.ts';
import { orderDimensions } from '../samplers/dimensions.ts';
import { sampleRuns } from '../samplers/sample-runs.ts';
import type { SampledRun, SampledRuns } from '../samplers/sample-runs.ts';
import { isAdaptive } from '../samplers/samplers.ts';
import { canonicalParameters } from '../search-space/canonical.ts';
import { roundSize } from '../stopping/rounds-policy.ts';
import { SEARCH_DEFAULTS } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { firstRound } from './first-round.ts';
import { packedValues } from './round-groups.ts';
import { pointDigest, UntriedPoints } from './untried-points.ts';

/** Runs that are expected where only a budget bounds them. */
const UNBOUNDED_RUNS = 200;

/**
 * Returns all runs of a sweep as far as they can be known before it starts. Those of an adaptive sweep after its first round stand in for
 * what models will suggest: Sobol points of the same space, packed into groups as rounds are.
 */
export function expectedRuns(spec: SweepSpec): SampledRuns {
  if (!isAdaptive(spec)) return sampleRuns(spec);
  const first = firstRound(spec);
  const total = spec.maxRuns ?? UNBOUNDED_RUNS;
  const { pack } = spec.search ?? SEARCH_DEFAULTS;
  const runs: SampledRun[] = first.runs.map(({ parameters, digest }, index) => ({ index, parameters, digest }));
  const digests = new Set(runs.map(({ digest }) => digest));
  const untried = new UntriedPoints(spec, first.runs.filter(({ sampler }) => sampler === 'sobol').length, (point) => {
    const digest = pointDigest(point);
    return digest === null || digests.has(digest);
  });
  const dimensions = orderDimensions(spec.parameters);
  const size = roundSize(spec.search ?? SEARCH_DEFAULTS, spec.maxRuns);
  for (let begin = runs.length; runs.length < total;) {
    if (runs.length === begin + size) begin = runs.length;
    const round = runs.slice(begin).map(({ parameters }) => parameters);
    const packed = packedValues(dimensions, round, Math.min(size, total - begin), pack);
    const given = packed[round.length % Math.max(1, packed.length)] ?? {};
    const point = untried.nextSobol(given) ?? untried.nextSobol({}) ?? untried.nextRemaining();
    if (point === null) break;
    const parameters = canonicalParameters(point);
    const digest = digestOf(parameters);
    digests.add(digest);
    runs.push({ index: runs.length, parameters, digest });
  }
  const missingCount = spec.maxRuns === null ? 0 : spec.maxRuns - runs.length;
  return { runs, duplicateCount: first.duplicateCount, missingCount };
}
