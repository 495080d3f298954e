import type { Objective } from '../objective.ts';
import type { PatienceSpec, StoppingRule, StoppingSpec, ThresholdSpec } from '../sweep/search-spec.ts';
import { STOPPING_DEFAULTS } from '../sweep/search-spec.ts';
import type { LadderRun, RungDefinition, RungStep } from './ladder.ts';
import { ladderOf } from './ladder.ts';

/** A rule with its version, as it is stored with each decision: "ASHA" is five rules in five libraries. */
export type RuleVersion = `${StoppingRule}@1`;

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
  /** Empty: no run is compared with another, as in sweeps without a `stopping` section. */
  readonly ladder: readonly RungDefinition[];
}

/** Values of runs within half a point change places by luck: a median of fewer is a coin (Optuna's `n_startup_trials`). */
const MIN_ENTRIES_OF_MEDIAN = 5;

/** Returns the policy of a sweep. A missing section is the rule `none`; a section without a rule is `promotion` where it can be. */
export function policyOf(
  spec: { readonly stopping?: StoppingSpec; readonly objective: Objective },
  runs: readonly LadderRun[],
): SearchPolicy {
  const stopping = spec.stopping ?? { ...STOPPING_DEFAULTS, rule: 'none' };
  const rule = stopping.rule ?? (runs.some(({ fineTuneEpochs }) => fineTuneEpochs !== null) ? 'promotion' : 'none');
  const compares = rule !== 'none' || stopping.threshold !== null || stopping.patience !== null;
  const { reductionFactor, rungs, synchronous } = stopping;
  const pauses = pausesRuns(rule, synchronous);
  return {
    rule: `${rule}@1`,
    objective: spec.objective,
    reductionFactor,
    minEntries: stopping.minEntries ?? defaultMinEntries(rule, reductionFactor),
    percentile: stopping.percentile,
    confidence: stopping.confidence,
    threshold: stopping.threshold,
    patience: stopping.patience,
    keepPaused: stopping.keepPaused,
    synchronous,
    promoteIdle: stopping.promoteIdle,
    ladder: compares ? ladderOf(rungs, reductionFactor, runs, !pauses) : [],
  };
}

function defaultMinEntries(rule: StoppingRule, reductionFactor: number): number {
  if (rule === 'promotion') return 2 * reductionFactor;
  if (rule === 'median' || rule === 'percentile') return Math.max(MIN_ENTRIES_OF_MEDIAN, reductionFactor);
  return reductionFactor;
}

export function ruleOf({ rule }: Pick<SearchPolicy, 'rule'>): StoppingRule {
  return rule.slice(0, rule.indexOf('@')) as StoppingRule;
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
