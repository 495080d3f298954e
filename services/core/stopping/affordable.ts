import { promotionCut } from './rung-table.ts';
import type { SearchRun } from './search-state.ts';
import { stepAfter } from './ladder.ts';

/**
 * Returns how many of the best heads a budget pays for: their way to the next rung, and that of the ever fewer which are promoted
 * from there to the end. At least one, so that a small budget still fine-tunes the best head.
 *
 * @param best runs that came to `headRung`, the last rung of the heads, the best first.
 * @param promotedAt number of runs that were already promoted from a rung: their way is paid.
 */
export function affordableCount(
  best: readonly SearchRun[],
  headRung: number,
  reductionFactor: number,
  freeSeconds: number,
  promotedAt: (rung: number) => number,
): number {
  for (let count = best.length; count > 1; count--) {
    if (wayCost(best.slice(0, count), headRung, reductionFactor, promotedAt) <= freeSeconds) return count;
  }
  return Math.min(1, best.length);
}

function wayCost(
  runs: readonly SearchRun[],
  headRung: number,
  reductionFactor: number,
  promotedAt: (rung: number) => number,
): number {
  const waiting = runs.filter(({ status, rung }) => status === 'PAUSED' && rung === headRung);
  let cost = waiting.reduce((sum, { nextSeconds }) => sum + nextSeconds, 0);
  const ways = waiting.map(laterSegments);
  let count = runs.length;
  for (let level = 0; level < Math.max(0, ...ways.map(({ length }) => length)); level++) {
    const segments = ways.flatMap((way) => way[level] ?? []);
    const from = segments[0]?.from ?? 0;
    count = promotionCut(count, reductionFactor);
    const mean = segments.reduce((sum, { seconds }) => sum + seconds, 0) / segments.length;
    cost += Math.max(0, count - promotedAt(from)) * mean;
  }
  return cost;
}

/** Returns the seconds of each segment after the next rung: as many per epoch as on the way there. */
function laterSegments({ path, rung, nextSeconds }: SearchRun): { readonly from: number; readonly seconds: number }[] {
  const next = stepAfter(path, rung);
  if (next === null) return [];
  const way = path.slice(path.indexOf(next));
  return way.slice(1).map((step, index) => {
    const before = way[index] ?? next;
    return { from: before.rung, seconds: (nextSeconds / next.epoch) * (step.epoch - before.epoch) };
  });
}
