import type { Objective } from '../objective.ts';
import { isBounded } from './budget.ts';
import type { BudgetSpec, PatienceSpec, StoppingRule, ThresholdSpec } from '../sweep/search-spec.ts';
import type { FinalistSpec } from '../sweep/finalist-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { STOPPING_DEFAULTS } from '../sweep/search-spec.ts';
import type { LadderRun, RungDefinition, RungStep } from './ladder.ts';
import { ladderOf } from './ladder.ts';
import type { ScreenPolicy } from './screen/keep.ts';
import { largestRun } from './largest-run.ts';
import type { RoundsPolicy, RoundsSpec } from './rounds-policy.ts';
import { roundsPolicyOf } from './rounds-policy.ts';

/**
 * Version of the rules of a new sweep. A sweep keeps the version that it was planned with, so that its decisions can be recomputed. 2:
 * runs that have ended hold no place within a cut, equal values are ordered by lot, and patience does not judge the end of a stage.
 */
const RULE_VERSION = 2;

/** A rule with its version, as it is stored with each decision: "ASHA" is five rules in five libraries. */
export type RuleVersion = `${StoppingRule}@${1 | typeof RULE_VERSION}`;

/** Comparison of the runs of a sweep: the spec's section with every default filled in, stored as JSON when the sweep is planned. */
export interface SearchPolicy {
  readonly rule: RuleVersion;
  readonly objective: Objective;
  /** η. */
  readonly reductionFactor: number;
  /** Entries of a rung before the rule decides. */
  readonly minEntries: number;
  /** Percentage of the entries of a rung that `percentile` stops. */
  readonly percentile: number;
  /** 1 − α of `paired`. */
  readonly confidence: number;
  readonly threshold: ThresholdSpec | null;
  readonly patience: PatienceSpec | null;
  readonly keepPaused: number;
  readonly synchronous: boolean;
  readonly promoteIdle: boolean;
  /** Seed of the order of equal values; absent in version 1, which orders them by run number. */
  readonly tieSeed?: number;
  /** Repetitions of the best runs; absent: none. */
  readonly finalists?: FinalistSpec;
  /** Empty: no run is compared with another, as in sweeps without a `stopping` section. */
  readonly ladder: readonly RungDefinition[];
  /** Screen of the candidates before anything is trained; absent: there is none. */
  readonly screen?: ScreenPolicy;
  /** Rounds of an adaptive sweep; absent: all runs are known at its start. */
  readonly rounds?: RoundsPolicy;
}

/** Values of runs within half a point change places by luck: a median of fewer is a coin (Optuna's `n_startup_trials`). */
const MIN_ENTRIES_OF_MEDIAN = 5;

/** The part of a spec that a policy depends on. The search space and its strategy are only needed for rounds. */
export type PolicySpec = Pick<SweepSpec, 'stopping' | 'objective' | 'seed' | 'finalists'> & Partial<RoundsSpec>;

/**
 * Returns the policy of a sweep. A missing section is the rule `none`; a section without a rule is `promotion` where it can be, as is a
 * missing one of an adaptive sweep. Such a sweep always has the ends of the stages as rungs, because its models read the values there.
 *
 * @param planned runs of the sweep; an adaptive one is judged by its space instead
 */
export function policyOf(spec: PolicySpec, planned: readonly LadderRun[]): SearchPolicy {
  const space = roundsSpecOf(spec);
  const rounds = space === null ? null : roundsPolicyOf(space);
  const runs = space === null || rounds === null ? planned : [largestRun(space)];
  const stopping = spec.stopping ?? (rounds === null ? { ...STOPPING_DEFAULTS, rule: 'none' } : STOPPING_DEFAULTS);
  const rule = stopping.rule ?? (runs.some(({ fineTuneEpochs }) => fineTuneEpochs !== null) ? 'promotion' : 'none');
  const { reductionFactor, rungs, synchronous, threshold, patience } = stopping;
  const pauses = pausesRuns(rule, synchronous);
  const judges = judgesRuns({ rule: `${rule}@${RULE_VERSION}`, threshold, patience });
  const ends = rounds === null ? [] : ladderOf({ head: [], fineTune: [] }, reductionFactor, runs, false);
  return {
    rule: `${rule}@${RULE_VERSION}`,
    objective: spec.objective,
    reductionFactor,
    minEntries: stopping.minEntries ?? defaultMinEntries(rule, reductionFactor),
    percentile: stopping.percentile,
    confidence: stopping.confidence,
    threshold,
    patience,
    keepPaused: stopping.keepPaused,
    synchronous,
    promoteIdle: stopping.promoteIdle,
    tieSeed: spec.seed,
    ...(spec.finalists !== undefined && spec.finalists.seeds > 1 ? { finalists: spec.finalists } : {}),
    ladder: judges ? ladderOf(rungs, reductionFactor, runs, !pauses) : ends,
    ...(rounds !== null && { rounds }),
  };
}

/** Returns the part of a spec that rounds depend on; null where it is not given. */
function roundsSpecOf({ strategy, search, parameters, base, variants }: Partial<RoundsSpec>): RoundsSpec | null {
  if (strategy === undefined || parameters === undefined || base === undefined || variants === undefined) return null;
  return { strategy, parameters, base, variants, ...(search !== undefined && { search }) };
}

function defaultMinEntries(rule: StoppingRule, reductionFactor: number): number {
  if (rule === 'promotion') return 2 * reductionFactor;
  if (rule === 'median' || rule === 'percentile') return Math.max(MIN_ENTRIES_OF_MEDIAN, reductionFactor);
  return reductionFactor;
}

/** Returns whether a run may be stopped or paused at a rung: by a rule, or by a limit of its own. */
export function judgesRuns({
  rule,
  threshold,
  patience,
}: Pick<SearchPolicy, 'rule' | 'threshold' | 'patience'>): boolean {
  return ruleOf({ rule }) !== 'none' || threshold !== null || patience !== null;
}

export function ruleOf({ rule }: Pick<SearchPolicy, 'rule'>): StoppingRule {
  return rule.slice(0, rule.indexOf('@')) as StoppingRule;
}

/** Returns the version of the rules that a sweep was planned with. */
export function versionOf({ rule }: Pick<SearchPolicy, 'rule'>): number {
  return Number(rule.slice(rule.indexOf('@') + 1));
}

/** Returns a rule in the version of another one. */
export function withVersionOf(name: StoppingRule, rule: RuleVersion): RuleVersion {
  return `${name}@${versionOf({ rule }) === 1 ? 1 : RULE_VERSION}`;
}

/**
 * Returns whether runs wait at rungs until they are promoted: under `promotion`, and under any rule that compares runs if the sweep
 * is synchronous, because the others must arrive first.
 */
export function pausesAtRungs(policy: Pick<SearchPolicy, 'rule' | 'synchronous'>): boolean {
  return pausesRuns(ruleOf(policy), policy.synchronous);
}

function pausesRuns(rule: StoppingRule, synchronous: boolean): boolean {
  if (rule === 'promotion') return true;
  return synchronous && rule !== 'none' && rule !== 'threshold' && rule !== 'patience';
}

/**
 * Returns whether idle slots promote runs beyond the cut. With a budget of slot-seconds they don't: an idle slot costs nothing. In a
 * synchronous sweep neither, because a slot is idle or not by timing.
 */
export function promotesIdle(policy: SearchPolicy, budget: BudgetSpec | null): boolean {
  return policy.promoteIdle && !policy.synchronous && ruleOf(policy) === 'promotion' && !isBounded(budget);
}

/**
 * Returns whether a run waits at this step of its way. Runs never wait inside the head, nor at their last rung.
 */
export function pausesAt(
  policy: Pick<SearchPolicy, 'rule' | 'synchronous'>,
  path: readonly RungStep[],
  step: RungStep,
) {
  const inside = step.stage === 'HEAD' && !step.isEnd;
  return pausesAtRungs(policy) && !inside && step.rung !== path.at(-1)?.rung;
}

/**
 * Returns the epoch of fine-tuning at which a task that continues from a rung must pause; null: it trains to the end of its stage.
 *
 * @param from the rung at which the run waited; null: the run starts with fine-tuning.
 */
export function pauseEpoch(
  policy: Pick<SearchPolicy, 'rule' | 'synchronous'>,
  path: readonly RungStep[],
  from: number | null,
): number | null {
  const next = path.find((step) => step.stage === 'FINE_TUNE' && (from === null || step.rung > from));
  return next === undefined || next.isEnd || !pausesAt(policy, path, next) ? null : next.epoch;
}

/** Returns whether a run waits at the end of its head: its fine-tuning is planned only when it is promoted. */
export function waitsAfterHead(policy: Pick<SearchPolicy, 'rule' | 'synchronous'>, path: readonly RungStep[]): boolean {
  return path.some((step) => step.stage === 'HEAD' && step.isEnd && pausesAt(policy, path, step));
}
