import type { ModelCost } from '../../../core/network/model-cost.ts';
import { correctionsOf } from '../../../core/planner/cost/corrections.ts';
import { makespanSeconds } from '../../../core/planner/cost/makespan.ts';
import { planCost, timed } from '../../../core/planner/cost/plan-cost.ts';
import type { KeyedFeatureSet } from '../../../core/planner/feature-set.ts';
import type {
  Cluster,
  InfeasibleRun,
  PlanInput,
  PlannedRun,
  PlannedTask,
  Segment,
} from '../../../core/planner/plan.ts';
import { planGroups } from '../../../core/planner/plan-groups.ts';
import { planProbes } from '../../../core/planner/plan-probes.ts';
import type { PlannedProbe } from '../../../core/planner/plan-probes.ts';
import { costContextOf, infeasibleRuns, planSweep } from '../../../core/planner/plan-sweep.ts';
import { resultDigestsOf } from '../../../core/planner/result-digest.ts';
import { needsOf } from '../../../core/planner/run-needs.ts';
import { digestsOf, UnresolvedWeightsError } from '../../../core/planner/weights-digests.ts';
import { costOfModel } from '../../../core/search-space/model-limits.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
import { targetKey, targetOf } from '../../../core/stopping/screen/candidate.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';

/** A row of `runs`. Its parameters remain a JSON string until they are in the thread that parses them. */
export interface StoredRun {
  readonly runId: string;
  readonly index: number;
  readonly parameters: string;
  readonly segment?: Segment | null;
}

/** A cluster whose corrections are plain data, which can be sent to another thread. */
export type ClusterData = Omit<Cluster, 'corrections'> & { readonly factors: Readonly<Record<string, number>> };

type StoredInput = Omit<PlanInput, 'runs' | 'cluster'> & { readonly cluster: ClusterData };

export interface PlanStoredInput extends StoredInput {
  readonly runs: readonly StoredRun[];
  readonly testPolicy: SweepSpec['testPolicy'];
}

export interface StoredPlan {
  readonly tasks: readonly PlannedTask[];
  readonly sharedHeads: ReadonlyMap<string, string>;
  /** Seconds before the first planned task and after the last one. */
  readonly aroundSeconds: number;
  readonly aloneSeconds: number;
}

export interface PlanProbesInput extends StoredInput {
  readonly runs: readonly StoredRun[];
  readonly baselineRunId: string | null;
  readonly images: number;
}

export type TargetsInput = Pick<FeasibilityInput, 'runs'>;

export interface FeasibilityInput {
  readonly runs: readonly StoredRun[];
  readonly classNames: readonly string[];
  /** Absent: none. */
  readonly constraints?: SweepSpec['constraints'];
}

/** Runs before planning, with what follows from their parameters and the classes alone. */
export interface ExaminedRuns {
  /** Runs that can't be trained. They must be omitted before planning. */
  readonly infeasible: readonly InfeasibleRun[];
  /** Costs of the models that can be built, as a JSON array of rows with the names of the columns. */
  readonly costs: string;
}

export interface IdentifyInput extends Pick<PlanInput, 'weights' | 'objective'> {
  readonly runs: readonly StoredRun[];
  readonly datasetDigest: string;
}

/** A run with what identifies its training. */
export interface IdentifiedRun {
  readonly runId: string;
  readonly resultDigest: string;
  /** Null: it has no head phase. */
  readonly headDigest: string | null;
  /** True if it is fine-tuned, so that it needs its head only as a start. */
  readonly isFineTuned: boolean;
}

export interface RegroupInput extends StoredInput {
  readonly runs: readonly (StoredRun & {
    readonly headRunId: string;
    readonly stages: readonly ('HEAD' | 'FINE_TUNE')[];
  })[];
}

export function clusterDataOf({ corrections, ...cluster }: Cluster): ClusterData {
  return { ...cluster, factors: corrections.factors ?? {} };
}

/** Plans stored sweeps. For 10,000 runs that takes seconds of arithmetic, so a coordinator runs it in a thread of its own. */
export const STORED_PLANS = {
  /** Examines runs whose classes are known. */
  examine: ({ runs, classNames, constraints }: FeasibilityInput): ExaminedRuns => {
    const planned = runs.map(compiled);
    const classes = { count: classNames.length, names: classNames };
    const costs = planned.flatMap(({ runId, config }) => {
      const cost = costOfModel(config, classNames.length);
      return cost === null ? [] : [costRowOf(runId, cost)];
    });
    return { infeasible: infeasibleRuns(planned, classes, constraints), costs: JSON.stringify(costs) };
  },

  /** Identifies what each run trains. @returns `unresolved` when weights are missing */
  identify: ({ runs, weights, ...inputs }: IdentifyInput): IdentifiedRun[] | { readonly unresolved: string } => {
    const digestOf = digestsOf(weights);
    try {
      return runs.map(compiled).map(({ runId, config }) => {
        const digests = resultDigestsOf(config, { ...inputs, weightsDigest: digestOf(config.backbone) });
        return {
          runId,
          resultDigest: digests.result,
          headDigest: digests.head,
          isFineTuned: config.fineTune !== null,
        };
      });
    } catch (error) {
      if (!(error instanceof UnresolvedWeightsError)) throw error;
      return { unresolved: error.message };
    }
  },

  /** Plans a sweep whose images and weights are known. @returns `unresolved` when weights are missing */
  planStored: (input: PlanStoredInput): StoredPlan | { readonly unresolved: string } => {
    try {
      return planOf(input, input.runs.map(compiled));
    } catch (error) {
      if (!(error instanceof UnresolvedWeightsError)) throw error;
      return { unresolved: error.message };
    }
  },

  /** Plans the probes of a screen. @returns `unresolved` when weights are missing */
  planProbes: ({
    cluster,
    runs,
    ...input
  }: PlanProbesInput): readonly PlannedProbe[] | { readonly unresolved: string } => {
    const context = costContextOf({ ...input, cluster: clusterOf(cluster) });
    try {
      return planProbes({
        ...input,
        runs: runs.map(compiled),
        context,
        datasetDigest: input.dataset.digest,
        digestOf: digestsOf(input.weights),
      });
    } catch (error) {
      if (!(error instanceof UnresolvedWeightsError)) throw error;
      return { unresolved: error.message };
    }
  },

  /** Returns the candidate of a screen that each run belongs to, as its key. */
  targets: ({ runs }: TargetsInput): (readonly [string, string])[] =>
    runs.map(compiled).map(({ runId, config }) => [runId, targetKey(targetOf(config))] as const),

  /** Regroups runs whose training was never leased. */
  regroup: ({ runs, cluster, ...input }: RegroupInput): readonly PlannedTask[] =>
    withSharedSets(
      planGroups({
        ...input,
        cluster: clusterOf(cluster),
        runs: runs.map((run) => ({ ...compiled(run), headRunId: run.headRunId, stages: new Set(run.stages) })),
      }),
    ),
};

function planOf(stored: PlanStoredInput, runs: readonly PlannedRun[]): StoredPlan {
  const input: PlanInput = { ...stored, runs, cluster: clusterOf(stored.cluster) };
  const plan = planSweep(input);
  const digestOf = digestsOf(input.weights);
  const needs = runs.map((run) => needsOf(run, input.dataset.digest, digestOf));
  const { slotCount } = input.cluster;
  const cost = planCost(plan, costContextOf(input), needs, slotCount, stored.testPolicy);
  return {
    tasks: withSharedSets(plan.tasks),
    sharedHeads: plan.sharedHeads,
    aroundSeconds: cost.wallSeconds - makespanSeconds(timed(plan), cost.slotCount),
    aloneSeconds: cost.slotSecondsAlone,
  };
}

/** Replaces equal feature sets by one object, because structured cloning sends an object to another thread once. */
function withSharedSets(tasks: readonly PlannedTask[]): PlannedTask[] {
  const known = new Map<string, KeyedFeatureSet>();
  const shared = (set: KeyedFeatureSet): KeyedFeatureSet => {
    const first = known.get(set.key) ?? set;
    known.set(set.key, first);
    return first;
  };
  return tasks.map((task) => ({ ...task, featureSets: task.featureSets.map(shared) }));
}

function costRowOf(runId: string, { modelBytes, parameterCount, flops }: ModelCost): Readonly<Record<string, unknown>> {
  return { run_id: runId, model_bytes: modelBytes, parameter_count: parameterCount, flops };
}

function clusterOf({ factors, ...cluster }: ClusterData): Cluster {
  return { ...cluster, corrections: correctionsOf(factors) };
}

function compiled({ parameters, runId, index, segment }: StoredRun): PlannedRun {
  const config = compileRunConfig(JSON.parse(parameters) as Parameters);
  return segment === undefined ? { runId, index, config } : { runId, index, config, segment };
}
