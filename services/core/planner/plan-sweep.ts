import { SPLITS } from '../dataset.ts';
import { deviceSpeed } from './cost/device-speed.ts';
import { forecastFeatures } from './cost/task-cost.ts';
import type { CostContext } from './cost/task-cost.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import { groupBy } from './grouping.ts';
import { shareHeads } from './head-phase.ts';
import { layOut } from './lay-out.ts';
import type { FeatureTask } from './lay-out.ts';
import type { InfeasibleRun, Plan, PlanInput, PlannedRun } from './plan.ts';
import { layersOf, prefixCutOf } from '../network/backbone-layers.ts';
import { UnknownLayerError } from '../network/resolve-unfreeze.ts';
import type { RunConfig } from '../run-config.ts';
import type { Constraint } from '../sweep/constraint.ts';
import { costOfModel, limitProblem } from '../search-space/model-limits.ts';
import { unknownClassProblem } from '../search-space/class-weights.ts';
import { needsOf } from './run-needs.ts';
import { distinctSets, fineTuneGroups, headGroups } from './train-group.ts';
import { digestsOf } from './weights-digests.ts';
import type { WeightsDigest } from './weights-digests.ts';

/**
 * Divides runs into stages and merges shared work. Each feature set is computed by one FEATURES task. Runs with the
 * same head phase train it once. Heads that read the same batches train in one HEAD task, as do augmented fine-tunings
 * with the same frozen part. A group is split into several tasks only if it exceeds a slot's memory, or if the cost
 * model predicts an earlier end.
 *
 * A pure function: the same runs on the same cluster yield the same tasks with the same IDs, in any order of the runs.
 *
 * @throws {UnresolvedWeightsError} for missing weights; {UnknownLayerError} for runs that `infeasibleRuns` would have
 * returned.
 */
export function planSweep(input: PlanInput): Plan {
  return planWith(input, digestsOf(input.weights));
}

/**
 * Returns the runs whose cut or unfreeze depth the base lacks, whose class weights name a class that the data set lacks, or whose model
 * is over a constraint of the sweep. They must be omitted before planning.
 *
 * @param classes null: they are not known yet.
 */
export function infeasibleRuns(
  runs: readonly PlannedRun[],
  classes: KnownClasses | null,
  constraints: readonly Constraint[] = [],
): InfeasibleRun[] {
  const reasons = new Map<string, string | null>();
  return runs.flatMap(({ runId, config }) => {
    const { backbone, fineTune, classWeights, imageSize, head } = config;
    const model = constraints.length === 0 ? null : [imageSize, head];
    const key = JSON.stringify([backbone, fineTune?.unfreeze ?? null, classWeights, model]);
    let reason = reasons.get(key);
    if (reason === undefined) {
      const names = classes?.names ?? null;
      const problem = names === null ? null : unknownClassProblem(classWeights, names);
      reason = reasonOfInfeasible(config) ?? problem ?? reasonOfCost(config, classes?.count ?? null, constraints);
      reasons.set(key, reason);
    }
    return reason === null ? [] : [{ runId, reason }];
  });
}

/** Classes of a data set, as far as they are known. */
export interface KnownClasses {
  readonly count: number;
  /** Null: only their number is known. */
  readonly names: readonly string[] | null;
}

function reasonOfCost(config: RunConfig, classCount: number | null, constraints: readonly Constraint[]): string | null {
  const cost = constraints.length === 0 ? null : costOfModel(config, classCount);
  return cost === null ? null : limitProblem(constraints, cost);
}

function reasonOfInfeasible({ backbone, fineTune }: RunConfig): string | null {
  try {
    if (fineTune === null) layersOf(backbone);
    else prefixCutOf(backbone, fineTune.unfreeze);
    return null;
  } catch (error) {
    if (error instanceof UnknownLayerError) return error.message;
    throw error;
  }
}

/** Returns the context of a plan's forecasts. */
export function costContextOf({
  objective,
  dataset,
  cluster,
}: Pick<PlanInput, 'objective' | 'dataset' | 'cluster'>): CostContext {
  return {
    imageCounts: dataset.imageCounts,
    classCount: dataset.classCount,
    objective,
    speed: deviceSpeed(cluster.device),
    corrections: cluster.corrections,
  };
}

const NO_HEADS: ReadonlyMap<string, string> = new Map();

/** Plans a sweep for `planSweep` and for the preview, which has no digests yet. */
export function planWith(input: Omit<PlanInput, 'weights'>, digestOf: WeightsDigest): Plan {
  const runs = [...input.runs].sort((a, b) => a.index - b.index);
  const { trainedHeads = NO_HEADS } = input;
  const needs = runs.map((run) => {
    const all = needsOf(run, input.dataset.digest, digestOf);
    return trainedHeads.has(run.runId) ? { ...all, head: [] } : all;
  });
  const headRuns = new Map([...shareHeads(runs.filter(({ runId }) => !trainedHeads.has(runId))), ...trainedHeads]);
  const context = costContextOf(input);
  const sets = needs.flatMap(({ run, head, fineTune }) => (run.segment === null ? head : [...head, ...fineTune]));
  const featureTasks = featureTasksOf(context, sets);
  const { memoryBytes } = input.cluster;
  const groups = [...headGroups(context, needs, headRuns, memoryBytes), ...fineTuneGroups(context, needs, memoryBytes)];
  const sharedHeads = new Map([...headRuns].filter(([runId, headRunId]) => runId !== headRunId));
  return { tasks: layOut(input, headRuns, featureTasks, groups), sharedHeads };
}

/**
 * Returns the tasks that compute feature sets: one for those of one (base, cut, size, pooling, dtype), which the same network computes
 * one after the other.
 */
export function featureTasksOf(context: CostContext, sets: readonly KeyedFeatureSet[]): FeatureTask[] {
  return groupBy(distinctSets(sets), networkKey).map((group) => {
    const ordered = group.sort((a, b) => SPLITS.indexOf(a.split) - SPLITS.indexOf(b.split));
    return { sets: ordered, forecast: forecastFeatures(context, ordered) };
  });
}

function networkKey(set: KeyedFeatureSet): string {
  return JSON.stringify([set.backbone, set.weightsDigest, set.cut, set.imageSize, set.pooling, set.dtype]);
}
