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
import { costContextOf, infeasibleRuns, planSweep } from '../../../core/planner/plan-sweep.ts';
import { resultDigestsOf } from '../../../core/planner/result-digest.ts';
import { needsOf } from '../../../core/planner/run-needs.ts';
import { digestsOf, UnresolvedWeightsError } from '../../../core/planner/weights-digests.ts';
import { compileRunConfig } from '../../../core/search-space/compile.ts';
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
  readonly classNames: readonly string[];
}

export interface StoredPlan {
  readonly infeasible: readonly InfeasibleRun[];
  readonly tasks: readonly PlannedTask[];
  readonly sharedHeads: ReadonlyMap<string, string>;
  /** Seconds before the first planned task and after the last one. */
  readonly aroundSeconds: number;
  readonly aloneSeconds: number;
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
    const all = input.runs.map(compiled);
    try {
      const infeasible = infeasibleRuns(all, input.classNames);
      const left = new Set(infeasible.map(({ runId }) => runId));
      const runs = all.filter(({ runId }) => !left.has(runId));
      return { infeasible, ...(runs.length === 0 ? NO_PLAN : planOf(input, runs)) };
    } catch (error) {
      if (!(error instanceof UnresolvedWeightsError)) throw error;
      return { unresolved: error.message };
    }
  },

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

const NO_PLAN = { tasks: [], sharedHeads: new Map<string, string>(), aroundSeconds: 0, aloneSeconds: 0 };

function planOf(stored: PlanStoredInput, runs: readonly PlannedRun[]): Omit<StoredPlan, 'infeasible'> {
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

function clusterOf({ factors, ...cluster }: ClusterData): Cluster {
  return { ...cluster, corrections: correctionsOf(factors) };
}

function compiled({ parameters, runId, index, segment }: StoredRun): PlannedRun {
  const config = compileRunConfig(JSON.parse(parameters) as Parameters);
  return segment === undefined ? { runId, index, config } : { runId, index, config, segment };
}
