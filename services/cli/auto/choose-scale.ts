import type { PlanCostRecord, QuantileRange, SweepPlanRecord } from '../../core/records/plan.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { AUTO_SCALES, autoSpec, SMALLEST_SCALE } from './auto-spec.ts';
import type { AutoRequest, AutoScale } from './auto-spec.ts';

/** Part of the time that the forecast may take at most; starting, the report and the export take the rest. */
const FORECAST_PART = 0.75;

/** A search that was chosen for the time. */
export interface ChosenSearch {
  readonly spec: SweepSpec;
  readonly plan: SweepPlanRecord;
  /** Expected seconds from the first lease to the end: 10, 50 and 90 %. */
  readonly wallSeconds: QuantileRange;
  /** False: even the smallest search takes longer, and the budget will end it. */
  readonly fits: boolean;
}

/**
 * Chooses the largest search whose forecast fits into the time.
 *
 * @param planOf returns the plan of a sweep
 */
export async function chooseSearch(
  request: AutoRequest,
  planOf: (spec: SweepSpec) => Promise<SweepPlanRecord>,
): Promise<ChosenSearch> {
  const limit = 60 * request.minutes * FORECAST_PART;
  const plan = async (scale: AutoScale): Promise<ChosenSearch> => {
    // A scale of more bases than there are is that of those.
    const spec = autoSpec(request, { ...scale, bases: Math.min(scale.bases, request.bases.length) });
    const planned = await planOf(spec);
    const wallSeconds = wallSecondsOf(planned.cost);
    return { spec, plan: planned, wallSeconds, fits: wallSeconds.high <= limit };
  };
  // Simulating a large search takes a second, so the scales are halved instead of tried one after the other.
  let [low, high] = [0, AUTO_SCALES.length - 1];
  let best = await plan(SMALLEST_SCALE);
  while (best.fits && low < high) {
    const middle = Math.floor((low + high) / 2);
    const tried = await plan(AUTO_SCALES[middle] ?? SMALLEST_SCALE);
    if (tried.fits) [best, high] = [tried, middle];
    else low = middle + 1;
  }
  return best;
}

function wallSecondsOf({ search, wallSeconds }: PlanCostRecord): QuantileRange {
  return search?.wallSeconds ?? { low: wallSeconds, median: wallSeconds, high: wallSeconds };
}
