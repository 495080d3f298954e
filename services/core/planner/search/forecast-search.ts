import type { PlanCost, QuantileRange, SearchForecastRecord } from '../../records/plan.ts';
import { createStream } from '../../rng/stream.ts';
import { quantile } from '../../statistics/quantile.ts';
import { describePolicy } from '../../stopping/describe-policy.ts';
import { ruleOf } from '../../stopping/policy.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import type { SweepSpec } from '../../sweep/sweep-spec.ts';
import { makespanSeconds } from '../cost/makespan.ts';
import { timed } from '../cost/plan-cost.ts';
import type { CostContext } from '../cost/task-cost.ts';
import type { Plan } from '../plan.ts';
import type { RunNeeds } from '../run-needs.ts';
import { searchWorkOf } from './search-work.ts';
import { simulateSearch } from './simulate-search.ts';
import type { SimulatedSweep } from './simulate-search.ts';

/** Number of simulated sweeps, which falls with their runs, because the cost of one grows with the square of their number. */
const SIMULATIONS = 200;
const FEWEST_SIMULATIONS = 60;
const SIMULATED_RUNS = 8_000;
/**
 * Deviation of the logarithm by which all work of a sweep takes longer or shorter than forecast: once the cluster has measured such
 * work, and before.
 */
const MEASURED_DEVIATION = 0.1;
const MODEL_DEVIATION = 0.3;

/** The inputs of a forecast. */
export interface ForecastInput {
  readonly spec: Pick<SweepSpec, 'seed' | 'budget' | 'maxParallelSlots'>;
  readonly policy: SearchPolicy;
  readonly plan: Plan;
  /** Needs of the planned runs. */
  readonly needs: readonly RunNeeds[];
  readonly context: CostContext;
  /** Cost without stopping. */
  readonly cost: PlanCost;
}

/**
 * Forecasts the cost of a sweep whose runs are compared while they train, from simulated sweeps: scores are drawn, and the functions
 * that decide in a coordinator decide. The same plan has the same forecast.
 *
 * @returns null for rules that decide by values or evidence rather than by ranks: what these stop can't be forecast.
 */
export function forecastSearch({
  spec,
  policy,
  plan,
  needs,
  context,
  cost,
}: ForecastInput): SearchForecastRecord | null {
  if (!decidesByRank(policy) || needs.length === 0) return null;
  const around = aroundOf(plan, cost);
  const work = searchWorkOf(policy, plan, needs, context);
  const sweep: SimulatedSweep = {
    policy,
    work,
    slotCount: Math.min(cost.slotCount, spec.maxParallelSlots ?? Infinity),
    budget: spec.budget === undefined ? null : { ...spec.budget, target: null },
    otherSeconds: around.slotSeconds,
  };
  const deviation = hasMeasured(context) ? MEASURED_DEVIATION : MODEL_DEVIATION;
  const count = Math.min(SIMULATIONS, Math.max(FEWEST_SIMULATIONS, Math.round(SIMULATED_RUNS / work.runs.length)));
  const simulated = Array.from({ length: count }, (_, number) => {
    const stream = createStream(spec.seed, 'search forecast', number);
    const factor = Math.exp(deviation * stream.normal());
    const { slotSeconds, wallSeconds, entryCounts } = simulateSearch(sweep, stream);
    return {
      slotSeconds: factor * (around.slotSeconds + slotSeconds),
      wallSeconds: factor * (around.wallSeconds + wallSeconds),
      entryCounts,
    };
  });
  return {
    rule: policy.rule,
    policy: describePolicy(policy),
    simulationCount: count,
    slotSeconds: rangeOf(simulated.map(({ slotSeconds }) => slotSeconds)),
    wallSeconds: rangeOf(simulated.map(({ wallSeconds }) => wallSeconds)),
    rungs: policy.ladder.map(({ number, stage, epoch }) => ({
      rung: number,
      stage,
      epoch,
      entries: rounded(rangeOf(simulated.map(({ entryCounts }) => entryCounts[number] ?? 0))),
    })),
  };
}

/** Returns a sentence about a rule whose effect can't be forecast; null: it can, or there is no rule. */
export function unforeseenNote(policy: SearchPolicy): string | null {
  if (policy.ladder.length === 0 || decidesByRank(policy)) return null;
  return `The cost is that without stopping: which runs ${policy.rule} stops depends on their values, and can't be forecast.`;
}

/** Returns the cost of indexing and of the evaluation. */
function aroundOf(plan: Plan, cost: PlanCost): { readonly slotSeconds: number; readonly wallSeconds: number } {
  const trained = plan.tasks.reduce((sum, { forecast }) => sum + forecast.seconds, 0);
  return {
    slotSeconds: cost.slotSeconds - trained,
    wallSeconds: cost.wallSeconds - makespanSeconds(timed(plan), cost.slotCount),
  };
}

function decidesByRank(policy: SearchPolicy): boolean {
  return policy.ladder.length > 0 && ['promotion', 'asha', 'median', 'percentile'].includes(ruleOf(policy));
}

function hasMeasured({ corrections }: CostContext): boolean {
  return Object.keys(corrections.factors ?? {}).some((costClass) => costClass.startsWith('FINE_TUNE'));
}

function rangeOf(values: readonly number[]): QuantileRange {
  const sorted = [...values].sort((a, b) => a - b);
  return { low: quantile(sorted, 0.1), median: quantile(sorted, 0.5), high: quantile(sorted, 0.9) };
}

function rounded({ low, median, high }: QuantileRange): QuantileRange {
  return { low: Math.round(low), median: Math.round(median), high: Math.round(high) };
}
