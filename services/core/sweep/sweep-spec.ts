import type { Objective } from '../objective.ts';
import type { Constraint } from './constraint.ts';
import type { FinalistSpec, WinnerRule } from './finalist-spec.ts';
import type { BudgetSpec, ScreenSpec, SearchSpec, StoppingSpec } from './search-spec.ts';

/** A typed hyper-parameter value. The parameter's definition, not the value, separates integers from real numbers. */
export type ParameterValue = number | string | boolean;

/** Flat parameters by dotted name. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

export type ParameterDomain =
  | { readonly kind: 'values'; readonly values: readonly ParameterValue[] }
  | {
      readonly kind: 'range';
      readonly min: number;
      readonly max: number;
      readonly scale: (typeof SCALES)[number];
      /** Number of points of a grid; null for other strategies. */
      readonly gridPoints: number | null;
      readonly step: number | null;
    };

export interface ParameterCondition {
  readonly name: string;
  readonly values: readonly ParameterValue[];
}

/** One dimension of the search space. */
export interface ParameterSpec {
  readonly name: string;
  readonly domain: ParameterDomain;
  /** All must hold for the parameter to exist in a run. */
  readonly conditions: readonly ParameterCondition[];
}

export interface SplitFractions {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  readonly seed: number;
}

export interface DatasetSource {
  /** Folder as the trainers see it. */
  readonly path: string;
  /** Fractions for a folder `<path>/<class>/<image>`; null where the folder has splits. */
  readonly splitFractions: SplitFractions | null;
  readonly allowDuplicates: boolean;
  readonly skipBadFiles: boolean;
  /** True: near duplicates across splits fail the sweep as well, instead of a warning. Absent: false. */
  readonly strict?: boolean;
}

/** Target of a sweep in MLflow, if the coordinator mirrors to one. */
export interface MlflowTarget {
  /** Empty: the coordinator's own. */
  readonly experiment: string;
  /** Registered model that the best checkpoint becomes a version of; empty: none. */
  readonly registerModel: string;
}

/** Policies for the test split: the winner and the baseline, or every run. */
export const TEST_POLICIES = ['winner', 'every_run'] as const;
export type TestPolicyName = (typeof TEST_POLICIES)[number];

export const SCALES = ['linear', 'log'] as const;

/** A tuning job as it is submitted, in the domain's own types (proto and YAML are converted to this at the edges). */
export interface SweepSpec {
  readonly displayName: string;
  readonly dataset: DatasetSource;
  /** Parameters all runs have, on top of the defaults. */
  readonly base: Parameters;
  readonly parameters: readonly ParameterSpec[];
  /** A name of `SAMPLERS` (`samplers/samplers.ts`). */
  readonly strategy: string;
  readonly variants: readonly Parameters[];
  /** Maximum number of runs; null: no bound (grid and list, and adaptive strategies with a budget of time). */
  readonly maxRuns: number | null;
  readonly seed: number;
  readonly objective: Objective;
  readonly testPolicy: TestPolicyName;
  /** Absent where the spec does not set it, as in specs that are older than the field. */
  readonly mlflow?: MlflowTarget;
  /** Rule across runs. Absent: none, each run trains to its end. */
  readonly stopping?: StoppingSpec;
  /** Bounds of the whole sweep. Absent: none. */
  readonly budget?: BudgetSpec;
  /** Maximum number of slots that work on the sweep at once. Absent: all. */
  readonly maxParallelSlots?: number;
  /** Sweeps of a higher priority are leased first, and preempt lower ones at a checkpoint. Absent: `DEFAULT_PRIORITY`. */
  readonly priority?: number;
  /** Bounds on the models, each cost once. Absent: none. */
  readonly constraints?: readonly Constraint[];
  /** False: results of equal runs of other sweeps are not taken. Absent: true. */
  readonly reuse?: boolean;
  /** Screen before features are computed. Absent: none. */
  readonly screen?: ScreenSpec | 'off';
  /** Repetitions of the best runs with further seeds. Absent: none. */
  readonly finalists?: FinalistSpec;
  /** Choice of the winner. Absent: `DEFAULT_WINNER_RULE`. */
  readonly winnerRule?: WinnerRule;
  /** Rounds of an adaptive strategy. Absent: the defaults. */
  readonly search?: SearchSpec;
}

/** One mistake in a spec. */
export interface FieldViolation {
  /** Path of the field, for example `parameters[2].range.min`. */
  readonly field: string;
  /** The problem, the received value, and how to fix it. */
  readonly description: string;
}
