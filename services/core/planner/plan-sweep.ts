import { taskIdOf } from '../ids.ts';
import { SPLITS } from '../dataset.ts';
import { deviceSpeed } from './cost/device-speed.ts';
import { makespanSeconds } from './cost/makespan.ts';
import { timed } from './cost/plan-cost.ts';
import { forecastFeatures } from './cost/task-cost.ts';
import type { CostContext, TaskForecast } from './cost/task-cost.ts';
import { describeFeatures } from './describe.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import { groupBy } from './grouping.ts';
import { shareHeads } from './head-phase.ts';
import type { HeadRuns } from './head-phase.ts';
import type { InfeasibleRun, Plan, PlanInput, PlannedTask } from './plan.ts';
import { UnknownLayerError } from './resolve-unfreeze.ts';
import { needsOf } from './run-needs.ts';
import type { RunNeeds } from './run-needs.ts';
import { chooseParts } from './split-groups.ts';
import { distinctSets, fineTuneGroups, headGroups } from './train-group.ts';
import type { TrainGroup } from './train-group.ts';
import type { WeightsResolver } from './weights-resolver.ts';
import { resolverOf } from './weights-resolver.ts';

/**
 * Cuts runs into stages and merges what they share: each feature set is computed by one FEATURES task; runs with the same head
 * phase train it once; heads that read the same batches train in one HEAD task, as do augmented fine-tunings whose frozen part
 * is the same. A group is cut into several tasks only where it needs more memory than a slot has, or where the cost model says
 * that the sweep ends sooner so.
 *
 * A pure function: the same runs on the same cluster give the same tasks with the same ids, in whatever order the runs come.
 * Throws `UnresolvedWeightsError` for missing weights and `UnknownLayerError` for runs that `infeasibleRuns` would have named.
 */
export function planSweep(input: PlanInput): Plan {
  return planWith(input, resolverOf(input.weights));
}

/** Runs whose cut or unfreeze depth the base does not have; they must be left out before the sweep is planned. */
export function infeasibleRuns(input: Pick<PlanInput, 'runs' | 'weights'>): InfeasibleRun[] {
  const resolver = resolverOf(input.weights);
  return input.runs.flatMap(({ runId, config }) => {
    try {
      resolver.checkCut(config.backbone);
      if (config.fineTune !== null) resolver.prefixCut(config.backbone, config.fineTune.unfreeze);
      return [];
    } catch (error) {
      if (error instanceof UnknownLayerError) return [{ runId, reason: error.message }];
      throw error;
    }
  });
}

/** What the forecasts of a plan rest on. */
export function costContextOf(
  { dataset, cluster }: Pick<PlanInput, 'dataset' | 'cluster'>,
  resolver: Pick<WeightsResolver, 'pointAfter'>,
): CostContext {
  return {
    imageCounts: dataset.imageCounts,
    classCount: dataset.classCount,
    speed: deviceSpeed(cluster.device),
    corrections: cluster.corrections,
    pointAfter: (backbone, cut) => resolver.pointAfter(backbone, cut),
  };
}

/** The planner behind `planSweep` and the preview, which knows no layers yet. */
export function planWith(input: Omit<PlanInput, 'weights'>, resolver: WeightsResolver): Plan {
  const runs = [...input.runs].sort((a, b) => a.index - b.index);
  const needs = runs.map((run) => needsOf(run, input.dataset.digest, resolver));
  const headRuns = shareHeads(runs);
  const context = costContextOf(input, resolver);
  const featureTasks = groupFeatures(needs).map((sets) => ({ sets, forecast: forecastFeatures(context, sets) }));
  const { memoryBytes } = input.cluster;
  const groups = [...headGroups(context, needs, headRuns, memoryBytes), ...fineTuneGroups(context, needs, memoryBytes)];
  const slotCount = Math.max(1, Math.floor(input.cluster.slotCount));
  const layOut = (parts: readonly number[]): PlannedTask[] => {
    const builder = new PlanBuilder(input.sweepId, headRuns);
    for (const { sets, forecast } of featureTasks) builder.addFeatures(sets, forecast);
    for (const [index, group] of groups.entries()) builder.addGroup(group, parts[index] ?? 1);
    return builder.tasks;
  };
  const parts = chooseParts(groups, slotCount, featureTasks.length + groups.length, (candidate) =>
    makespanSeconds(timed({ tasks: layOut(candidate) }), slotCount),
  );
  const sharedHeads = new Map([...headRuns].filter(([runId, headRunId]) => runId !== headRunId));
  return { tasks: layOut(parts), sharedHeads };
}

/** Feature sets of one (base, cut, size, pooling, dtype) are made one after the other by the same network. */
function groupFeatures(needs: readonly RunNeeds[]): KeyedFeatureSet[][] {
  const distinct = distinctSets(needs.flatMap(({ head, fineTune }) => [...head, ...fineTune]));
  return groupBy(distinct, networkKey).map((group) =>
    group.sort((a, b) => SPLITS.indexOf(a.split) - SPLITS.indexOf(b.split)),
  );
}

function networkKey(set: KeyedFeatureSet): string {
  return JSON.stringify([set.backbone, set.weightsDigest, set.cut, set.imageSize, set.pooling, set.dtype]);
}

/** Numbers tasks in the order they are added and knows who computes which feature set and trains which head. */
class PlanBuilder {
  readonly tasks: PlannedTask[] = [];
  private readonly sweepId: string;
  private readonly headRuns: HeadRuns;
  private readonly makers = new Map<string, string>();
  private readonly headTasks = new Map<string, string>();

  constructor(sweepId: string, headRuns: HeadRuns) {
    this.sweepId = sweepId;
    this.headRuns = headRuns;
  }

  addFeatures(featureSets: readonly KeyedFeatureSet[], forecast: TaskForecast): void {
    const description = describeFeatures(featureSets);
    const taskId = this.add({ stage: 'FEATURES', runIds: [], featureSets, dependsOn: [], description, forecast });
    for (const { key } of featureSets) this.makers.set(key, taskId);
  }

  addGroup(group: TrainGroup, parts: number): void {
    for (const draft of group.cut(parts)) {
      const makers = this.makersOf(draft.featureSets);
      if (group.stage === 'FINE_TUNE') {
        const heads = draft.runIds.flatMap((runId) => this.headTasks.get(this.headRuns.get(runId) ?? runId) ?? []);
        this.add({ stage: 'FINE_TUNE', ...draft, dependsOn: [...new Set([...heads, ...makers])] });
        continue;
      }
      const taskId = this.add({ stage: 'HEAD', ...draft, dependsOn: makers });
      for (const runId of draft.runIds) this.headTasks.set(runId, taskId);
    }
  }

  private add(task: Omit<PlannedTask, 'taskId'>): string {
    const taskId = taskIdOf(this.sweepId, this.tasks.length + 1);
    this.tasks.push({ taskId, ...task });
    return taskId;
  }

  private makersOf(featureSets: readonly KeyedFeatureSet[]): string[] {
    return [...new Set(featureSets.map(({ key }) => this.makers.get(key)))].filter((id) => id !== undefined);
  }
}
