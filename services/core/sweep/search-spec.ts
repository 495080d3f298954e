/** Rules that compare the runs of a sweep while they train; `core/stopping` has one function for each. */
export const STOPPING_RULES = [
  'none',
  'promotion',
  'asha',
  'median',
  'percentile',
  'paired',
  'threshold',
  'patience',
] as const;
export type StoppingRule = (typeof STOPPING_RULES)[number];

/** Epochs at which runs are compared, rising. The end of each stage is a rung without being listed. */
export interface RungEpochs {
  /** Epochs of augmented heads; cached heads train in seconds and are compared at their end only. */
  readonly head: readonly number[];
  readonly fineTune: readonly number[];
}

/** Limit for the objective: a run that is worse is stopped. */
export interface ThresholdSpec {
  readonly worseThan: number;
  /** First epoch of a stage at which it holds. */
  readonly fromEpoch: number;
}

/** Number of epochs without progress after which a run is stopped. */
export interface PatienceSpec {
  readonly epochs: number;
  /** Smallest change of the objective that is progress. */
  readonly minDelta: number;
}

/** Rule by which hopeless runs are stopped or paused, and promising ones continued. */
export interface StoppingSpec {
  /** Null: `promotion` if any run of the sweep is fine-tuned, else `none`. */
  readonly rule: StoppingRule | null;
  /** Reduction factor η of `promotion` and `asha`: one in η runs continues beyond a rung. */
  readonly reductionFactor: number;
  /** Null: derived from the largest number of epochs. */
  readonly rungs: RungEpochs | null;
  /** Entries of a rung before the rule decides. Null: η, for `promotion` 2η, for `median` and `percentile` 5. */
  readonly minEntries: number | null;
  /**
   * Percentage of the entries of a rung that `percentile` stops: 25 stops the worst quarter. Optuna's PercentilePruner names the
   * part that it keeps instead.
   */
  readonly percentile: number;
  /** Confidence of `paired`, 1 − α, with α the probability that a run as good as those that continue is stopped in its life. */
  readonly confidence: number;
  /** Holds beside any rule; the rule `threshold` is this alone. */
  readonly threshold: ThresholdSpec | null;
  /** Holds beside any rule; the rule `patience` is this alone. */
  readonly patience: PatienceSpec | null;
  /** Number of best paused runs whose checkpoints are kept in any case. */
  readonly keepPaused: number;
  /** True: a rung decides when no other run can reach it, so that decisions don't depend on timing. */
  readonly synchronous: boolean;
  /**
   * True: a slot that would idle while the sweep still trains promotes the best run that waits at the lowest rung. Not with a budget of
   * slot-seconds.
   */
  readonly promoteIdle: boolean;
}

/** A stopping section without any key: what each key is unless it is given. */
export const STOPPING_DEFAULTS: StoppingSpec = {
  rule: null,
  reductionFactor: 3,
  rungs: null,
  minEntries: null,
  percentile: 25,
  confidence: 0.9,
  threshold: null,
  patience: null,
  keepPaused: 4,
  synchronous: false,
  promoteIdle: true,
};

/** Screen of the candidates (backbone, cut, image size, pooling) on some images, before their features are computed. */
export interface ScreenSpec {
  /** Candidates that are kept at most. */
  readonly keep: number;
  /** Images of each probe, two thirds of them from the training split; 0: by the number of classes. */
  readonly images: number;
}

/** A screen section without any key. */
export const SCREEN_DEFAULTS: ScreenSpec = { keep: 4, images: 0 };
/** Largest number of candidates to keep, and of images of a probe. */
export const MAX_KEPT_CANDIDATES = 64;
export const MAX_PROBE_IMAGES = 3_000;
/** Fewest images of a probe: with fewer, a paired test tells nothing apart. */
export const MIN_PROBE_IMAGES = 60;

/** Rounds of a strategy that asks for runs by the results of earlier ones. */
export interface SearchSpec {
  /** Runs with results before the first model; those before are Sobol points. */
  readonly startupRuns: number;
  /** Runs of a round, which train together. Null: 8 up to 48 runs, 16 above. */
  readonly roundRuns: number | null;
  /** Part of the runs of a round that are Sobol points. Null: none for `gp`, a quarter for `tpe`. */
  readonly explore: number | null;
  /** True: later runs of a round take the values that would split a group from the first ones. */
  readonly pack: boolean;
}

/** A search section without any key. */
export const SEARCH_DEFAULTS: SearchSpec = { startupRuns: 10, roundRuns: null, explore: null, pack: true };

/** Objective value that ends the search. */
export interface TargetSpec {
  readonly value: number;
  /** Confidence of the lower Wilson bound of `val_accuracy` that reaches the value. Other metrics are compared as measured. */
  readonly confidence: number;
}

export const DEFAULT_TARGET_CONFIDENCE = 0.9;

/** Bounds of a sweep's work. The first one that is reached ends the search. */
export interface BudgetSpec {
  /** Seconds of all attempts, lost ones included. */
  readonly slotSeconds: number | null;
  /** Seconds since the sweep's first lease. */
  readonly wallSeconds: number | null;
  readonly target: TargetSpec | null;
  /** Rounds of an adaptive strategy without a distinguishably better run. Absent: no bound. */
  readonly patienceRounds?: number;
}

export const DEFAULT_PRIORITY = 0;
/** Largest priority; its negative is the smallest. */
export const MAX_PRIORITY = 1_000;
