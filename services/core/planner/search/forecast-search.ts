import type { PlanCost, QuantileRange, SearchForecastRecord } from '../../records/plan.ts';
import { createStream } from '../../rng/stream.ts';
import { quantile } from '../../statistics/quantile.ts';
import { drawScores } from './draw-scores.ts';
import { ladderOf, ladderRun } from '../../stopping/ladder.ts';
import type { RoundDue } from '../../stopping/action.ts';
import { describePolicy } from '../../stopping/describe-policy.ts';
import { judgesRuns, ruleOf, withVersionOf } from '../../stopping/policy.ts';
import type { SearchPolicy } from '../../stopping/policy.ts';
import type { SweepSpec } from '../../sweep/sweep-spec.ts';
import { makespanSeconds } from '../cost/makespan.ts';
import { timed } from '../cost/plan-cost.ts';
import { forecastIndex } from '../cost/task-cost.ts';
import type { CostContext } from '../cost/task-cost.ts';
import type { Cluster, Plan } from '../plan.ts';
import type { RunNeeds } from '../run-needs.ts';
import { RoundPlans } from './round-work.ts';
import { searchWorkOf } from './search-work.ts';
import type { RunWork } from './search-work.ts';
import { simulateSearch } from './simulate-search.ts';
import type { RoundWork, SimulatedSweep } from './simulate-search.ts';

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
  readonly spec: Pick<SweepSpec, 'seed' | 'budget' | 'maxParallelSlots' | 'maxRuns'>;
  readonly policy: SearchPolicy;
  readonly plan: Plan;
  /** Needs of the planned runs. */
  readonly needs: readonly RunNeeds[];
  readonly context: CostContext;
  /** Cost without stopping. */
  readonly cost: PlanCost;
  readonly cluster: Cluster;
  /** Runs of the first round of an adaptive sweep, the first of `needs`; the others come in rounds. */
  readonly firstCount: number;
}

/**
 * Forecasts the cost of a sweep whose runs are compared while they train, from simulated sweeps: scores are drawn, and the functions
 * that decide in a coordinator decide. The same plan has the same forecast. What rules stop that decide by values or evidence rather
 * than by ranks can't be forecast: under these only a budget ends runs.
 *
 * @returns null where neither a rule by ranks nor a budget of time changes the cost
 */
export function forecastSearch(input: ForecastInput): SearchForecastRecord | null {
  const { spec, policy, plan, needs, context, cost } = input;
  const { slotSeconds = null, wallSeconds = null } = spec.budget ?? {};
  const isBounded = slotSeconds !== null || wallSeconds !== null;
  if (!(decidesByRank(policy) || isBounded || policy.rounds !== undefined) || needs.length === 0) return null;
  // Limits on values mean nothing for scores, which only rank.
  const ranking = { ...policy, threshold: null, patience: null };
  const simulated = decidesByRank(policy) ? ranking : withoutRule(ranking, needs);
  const searched = searchedWork({ ...input, policy: simulated });
  const [index, evaluation] = [forecastIndex(context).seconds, evaluationOf(plan, cost, context)];
  const slotCount = Math.min(cost.slotCount, spec.maxParallelSlots ?? Infinity);
  const deviation = hasMeasured(context) ? MEASURED_DEVIATION : MODEL_DEVIATION;
  const count = Math.min(SIMULATIONS, Math.max(FEWEST_SIMULATIONS, Math.round(SIMULATED_RUNS / searched.runs.length)));
  const sweeps = Array.from({ length: count }, (_, number) => {
    const stream = createStream(spec.seed, 'search forecast', number);
    const factor = Math.exp(deviation * stream.normal());
    const scores = drawScores(simulated, searched.runs, stream);
    // Work that takes twice as long meets a budget of half as much.
    const part = (bound: number | null): number | null => (bound === null ? null : bound / factor);
    const search = simulateSearch({
      policy: simulated,
      ...searched.begin(),
      slotCount,
      budget: isBounded ? { slotSeconds: part(slotSeconds), wallSeconds: part(wallSeconds), target: null } : null,
      secondsBefore: index,
      secondsAfter: evaluation.slotSeconds,
      measure: (position, { rung, epoch }) => ({
        value: scores[position]?.[rung] ?? Number.NaN,
        standardError: null,
        epoch,
        completedEpochs: epoch,
        evidence: null,
      }),
    });
    return {
      slotSeconds: factor * (index + search.slotSeconds + evaluation.slotSeconds),
      wallSeconds: factor * (index + search.wallSeconds + evaluation.wallSeconds),
      entryCounts: search.rungs.map(({ length }) => length * searched.scale),
    };
  });
  return {
    rule: policy.rule,
    policy: describePolicy(policy, spec.budget ?? null),
    simulationCount: count,
    slotSeconds: rangeOf(sweeps.map((sweep) => sweep.slotSeconds)),
    wallSeconds: rangeOf(sweeps.map((sweep) => sweep.wallSeconds)),
    rungs: (decidesByRank(policy) ? policy.ladder : []).map(({ number, stage, epoch }) => ({
      rung: number,
      stage,
      epoch,
      entries: rounded(rangeOf(sweeps.map(({ entryCounts }) => entryCounts[number] ?? 0))),
    })),
  };
}

/** The work of a search that is simulated many times. */
interface SearchedWork {
  readonly runs: readonly Pick<RunWork, 'headGroup'>[];
  readonly scale: number;
  /** Returns the work at the start of a simulation, with its rounds. */
  readonly begin: () => Pick<SimulatedSweep, 'work' | 'rounds'>;
}

function searchedWork({ spec, policy, plan, needs, context, cluster, firstCount }: ForecastInput): SearchedWork {
  if (policy.rounds === undefined) {
    const work = searchWorkOf(policy, plan, needs, context);
    return { runs: work.runs, scale: work.scale, begin: () => ({ work }) };
  }
  const plans = new RoundPlans({ policy, plan, needs, firstCount, context, cluster });
  const { runs, scale } = plans;
  const maxRuns = spec.maxRuns === null ? null : runs.length;
  const begin = (): Pick<SimulatedSweep, 'work' | 'rounds'> => {
    const work = plans.first();
    let [runCount, sharedCount] = [work.runs.length, work.shared.length];
    // Values that are drawn say nothing about progress.
    const rounds = {
      maxRuns,
      patienceRounds: null,
      suggest: (due: RoundDue): RoundWork => {
        const round = plans.next(runCount, due.count, sharedCount);
        runCount += round.runs.length;
        sharedCount += round.shared.length;
        return round;
      },
    };
    return { work, rounds };
  };
  return { runs, scale, begin };
}

/** Returns a sentence about a rule whose effect can't be forecast; null: it can, or there is no rule. */
export function unforeseenNote(policy: SearchPolicy): string | null {
  if (!judgesRuns(policy) || decidesByRank(policy)) return null;
  return `The cost is that without the rule: which runs ${policy.rule} stops depends on their values, and can't be forecast.`;
}

/** Returns the cost of the evaluation. */
function evaluationOf(
  plan: Plan,
  cost: PlanCost,
  context: CostContext,
): { readonly slotSeconds: number; readonly wallSeconds: number } {
  const index = forecastIndex(context).seconds;
  const trained = plan.tasks.reduce((sum, { forecast }) => sum + forecast.seconds, 0);
  return {
    slotSeconds: cost.slotSeconds - index - trained,
    wallSeconds: cost.wallSeconds - index - makespanSeconds(timed(plan), cost.slotCount),
  };
}

/** Returns a policy under which every run trains to its end, as far as a budget lets it. */
function withoutRule(policy: SearchPolicy, needs: readonly RunNeeds[]): SearchPolicy {
  const runs = needs.map(({ run }) => ladderRun(run.index, run.config));
  const ladder = ladderOf({ head: [], fineTune: [] }, policy.reductionFactor, runs, false);
  return { ...policy, rule: withVersionOf('none', policy.rule), ladder };
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
