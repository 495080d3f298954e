import type { FinalistForecastRecord, QuantileRange, SearchForecastRecord } from '../../records/plan.ts';
import { quantile } from '../../statistics/quantile.ts';
import type { FinalistSpec } from '../../sweep/finalist-spec.ts';
import type { BudgetSpec } from '../../sweep/search-spec.ts';
import { forecastFineTunes, forecastHeads } from '../cost/task-cost.ts';
import type { CostContext } from '../cost/task-cost.ts';
import type { RunNeeds } from '../run-needs.ts';

/**
 * Forecasts the cost of repeating finalists beside that of the sweep. Which runs they are is unknown before: at least the cheapest run,
 * at most as many of the most expensive ones as are asked for. The features are there by then.
 *
 * @returns null: no run is repeated
 */
export function forecastFinalists(
  finalists: FinalistSpec | undefined,
  needs: readonly RunNeeds[],
  context: CostContext,
  slotCount: number,
): FinalistForecastRecord | null {
  if (finalists === undefined || finalists.seeds === 1 || needs.length === 0) return null;
  const seeds = finalists.seeds - 1;
  const costs = needs.map((need) => secondsOf(need, context)).sort((a, b) => a - b);
  const runs = Math.min(finalists.runs, costs.length);
  const slots: QuantileRange = {
    low: seeds * (costs[0] ?? 0),
    median: seeds * runs * quantile(costs, 0.5),
    high: seeds * costs.slice(-runs).reduce((sum, seconds) => sum + seconds, 0),
  };
  // Each repetition takes one slot; the longest of them is the shortest time.
  const parallel = (count: number): number => Math.min(Math.max(1, Math.floor(slotCount)), Math.max(1, count));
  return {
    runCount: runs,
    seedCount: seeds,
    slotSeconds: slots,
    wallSeconds: {
      low: slots.low / parallel(seeds),
      median: slots.median / parallel(seeds * runs),
      high: slots.high / parallel(seeds * runs),
    },
  };
}

/** Returns the slot-seconds of training a run alone from its features. */
function secondsOf({ run: { config }, head, fineTune, fineTuneCut }: RunNeeds, context: CostContext): number {
  const heads = config.epochs === 0 ? 0 : forecastHeads(context, [config], head).seconds;
  const tunes = config.fineTune === null ? 0 : forecastFineTunes(context, [config], fineTuneCut, fineTune).seconds;
  return heads + tunes;
}

/** Returns a search's forecast with the repetition of its finalists, as far as its budget pays for them. */
export function withFinalists(
  search: SearchForecastRecord | null,
  finalists: FinalistForecastRecord | null,
  budget: BudgetSpec | undefined,
): SearchForecastRecord | null {
  if (search === null || finalists === null) return search;
  const sum = (a: QuantileRange, b: QuantileRange, bound: number | null): QuantileRange => {
    const both = (key: keyof QuantileRange): number => Math.max(a[key], Math.min(a[key] + b[key], bound ?? Infinity));
    return { low: both('low'), median: both('median'), high: both('high') };
  };
  return {
    ...search,
    slotSeconds: sum(search.slotSeconds, finalists.slotSeconds, budget?.slotSeconds ?? null),
    wallSeconds: sum(search.wallSeconds, finalists.wallSeconds, budget?.wallSeconds ?? null),
  };
}
