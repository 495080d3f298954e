import { taskIdOf } from '../ids.ts';
import type { Split } from '../dataset.ts';
import { SPLITS } from '../dataset.ts';
import type { Stage } from '../task.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import { poolingOf, withKey } from './feature-set.ts';
import type { InfeasibleRun, Plan, PlanInput, PlannedRun, PlannedTask } from './plan.ts';
import { UnknownLayerError } from './resolve-unfreeze.ts';
import { cutEvenly, groupBy, streamKey } from './grouping.ts';
import { describeFeatures, describeFineTune, describeHead } from './describe.ts';
import type { WeightsResolver } from './weights-resolver.ts';
import { resolverOf } from './weights-resolver.ts';

/**
 * Cuts runs into stages and merges what they share: each feature set is computed by one FEATURES task; runs that read the
 * same batches train in one HEAD task (cached: cut into as many groups as there are slots; augmented: all of them, because
 * the base's pass costs more than all heads; never more than `MAX_GROUP_RUNS`); each fine-tuning is a task of its own that starts from the
 * run's head, or has none where the head phase has no epochs.
 *
 * A pure function: the same runs give the same tasks with the same ids, in whatever order the runs come. Throws
 * `UnresolvedWeightsError` for missing weights and `UnknownLayerError` for runs that `infeasibleRuns` would have named.
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

/** The planner behind `planSweep` and the preview, which knows no layers yet. */
export function planWith(input: Omit<PlanInput, 'weights'>, resolver: WeightsResolver): Plan {
  const runs = [...input.runs].sort((a, b) => a.index - b.index);
  const needs = runs.map((run) => needsOf(run, input.dataset.digest, resolver));
  const builder = new PlanBuilder(input.sweepId);
  addFeatureTasks(builder, needs);
  const headTasks = addHeadTasks(builder, needs, Math.max(1, Math.floor(input.slotCount)));
  addFineTuneTasks(builder, needs, headTasks);
  return { tasks: builder.tasks };
}

/** A run with the feature sets that its stages read. */
export interface RunNeeds {
  readonly run: PlannedRun;
  readonly head: readonly KeyedFeatureSet[];
  readonly fineTune: readonly KeyedFeatureSet[];
}

/** Exported for the preview, which counts passes. */
export function needsOf(run: PlannedRun, datasetDigest: string, resolver: WeightsResolver): RunNeeds {
  const { config } = run;
  // Augmented training images are new in each epoch; only the validation images can be stored.
  const splits: readonly Split[] = config.method === 'cached' ? ['train', 'validation'] : ['validation'];
  const base = {
    datasetDigest,
    backbone: config.backbone.name,
    weightsDigest: resolver.digest(config.backbone),
    imageSize: config.imageSize,
  };
  const headSplits = config.epochs === 0 ? [] : splits;
  const head = headSplits.map((split) =>
    withKey({ ...base, split, cut: config.backbone.cut, pooling: poolingOf(config.head) }),
  );
  const cut = config.fineTune === null ? null : resolver.prefixCut(config.backbone, config.fineTune.unfreeze);
  const fineTune = cut === null ? [] : splits.map((split) => withKey({ ...base, split, cut, pooling: 'none' }));
  return { run, head, fineTune };
}

/** Numbers tasks in the order they are added and knows who computes which feature set. */
class PlanBuilder {
  readonly tasks: PlannedTask[] = [];
  private readonly sweepId: string;
  private readonly makers = new Map<string, string>();

  constructor(sweepId: string) {
    this.sweepId = sweepId;
  }

  add(stage: Stage, task: Omit<PlannedTask, 'taskId' | 'stage'>): string {
    const taskId = taskIdOf(this.sweepId, this.tasks.length + 1);
    this.tasks.push({ taskId, stage, ...task });
    if (stage === 'FEATURES') for (const { key } of task.featureSets) this.makers.set(key, taskId);
    return taskId;
  }

  makersOf(featureSets: readonly KeyedFeatureSet[]): string[] {
    return [...new Set(featureSets.map(({ key }) => this.makers.get(key)))].filter((id) => id !== undefined);
  }
}

/** One task per (base, cut, size, pooling): the splits of one are made one after the other by the same network. */
function addFeatureTasks(builder: PlanBuilder, needs: readonly RunNeeds[]): void {
  const distinct = new Map(needs.flatMap(({ head, fineTune }) => [...head, ...fineTune]).map((set) => [set.key, set]));
  for (const group of groupBy([...distinct.values()], networkKey)) {
    const featureSets = group.sort((a, b) => SPLITS.indexOf(a.split) - SPLITS.indexOf(b.split));
    builder.add('FEATURES', {
      runIds: [],
      featureSets,
      dependsOn: [],
      description: describeFeatures(featureSets),
    });
  }
}

function networkKey(set: KeyedFeatureSet): string {
  return JSON.stringify([set.backbone, set.weightsDigest, set.cut, set.imageSize, set.pooling]);
}

/**
 * Most runs that train together: a head on 12,800 inputs with its gradient and one slot of optimizer state takes 40 MB, so a
 * full group stays below 3 GB.
 */
const MAX_GROUP_RUNS = 64;

/** @returns the HEAD task of each run. */
function addHeadTasks(builder: PlanBuilder, needs: readonly RunNeeds[], slotCount: number): Map<string, string> {
  const taskOfRun = new Map<string, string>();
  const trained = needs.filter(({ run }) => run.config.epochs > 0);
  for (const group of groupBy(trained, headGroupKey)) {
    const partsForSlots = group[0]?.run.config.method === 'cached' ? slotCount : 1;
    const partsForSize = Math.ceil(group.length / MAX_GROUP_RUNS);
    for (const part of cutEvenly(group, Math.max(partsForSlots, partsForSize))) {
      const featureSets = distinctSets(part.flatMap(({ head }) => head));
      const taskId = builder.add('HEAD', {
        runIds: part.map(({ run }) => run.runId),
        featureSets,
        dependsOn: builder.makersOf(featureSets),
        description: describeHead(part.map(({ run }) => run)),
      });
      for (const { run } of part) taskOfRun.set(run.runId, taskId);
    }
  }
  return taskOfRun;
}

/** Runs with the same key see the same batches of the same numbers, so that one pass over them serves all. */
function headGroupKey({ run: { config }, head }: RunNeeds): string {
  if (config.method === 'augmented') return streamKey(config);
  return JSON.stringify(['cached', head.map(({ key }) => key), config.batchSize, config.dataSeed]);
}

function addFineTuneTasks(
  builder: PlanBuilder,
  needs: readonly RunNeeds[],
  headTasks: ReadonlyMap<string, string>,
): void {
  for (const { run, fineTune } of needs) {
    if (run.config.fineTune === null) continue;
    const headTask = headTasks.get(run.runId);
    builder.add('FINE_TUNE', {
      runIds: [run.runId],
      featureSets: fineTune,
      dependsOn: [...(headTask === undefined ? [] : [headTask]), ...builder.makersOf(fineTune)],
      description: describeFineTune(run, run.config.fineTune, fineTune),
    });
  }
}

function distinctSets(sets: readonly KeyedFeatureSet[]): KeyedFeatureSet[] {
  return [...new Map(sets.map((set) => [set.key, set])).values()];
}
