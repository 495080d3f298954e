import { runIdOf } from '../ids.ts';
import type { RunConfig } from '../run-config.ts';
import { firstRunIsBaseline } from '../samplers/baseline.ts';
import type { SampledRun } from '../samplers/sample-runs.ts';
import { sampleRuns, variedNames } from '../samplers/sample-runs.ts';
import { samplingNotes } from '../samplers/sampling-notes.ts';
import { compileRunConfig } from '../search-space/compile.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';
import { forecastEvaluations, planCost } from './cost/plan-cost.ts';
import type { PlanCost } from './cost/plan-cost.ts';
import { forecastIndex } from './cost/task-cost.ts';
import type { CostContext, ImageCounts } from './cost/task-cost.ts';
import { groupBy } from './grouping.ts';
import type { Cluster, InfeasibleRun, Plan, PlannedRun } from './plan.ts';
import { costContextOf, infeasibleRuns, planWith } from './plan-sweep.ts';
import { needsOf } from './run-needs.ts';
import { weightsReferencesOf } from './weights-digests.ts';
import type { WeightsDigest } from './weights-digests.ts';

export interface PreviewedTask {
  readonly stage: Stage;
  /** Numbers of the runs it serves. */
  readonly runIndexes: readonly number[];
  readonly description: string;
  /** Positions in the list of tasks. */
  readonly dependencies: readonly number[];
  /** Expected slot-seconds. */
  readonly seconds: number;
  /** Expected peak memory. */
  readonly memoryBytes: number;
  /** Bytes of the feature sets that it stores. */
  readonly featureBytes: number;
}

export interface PreviewedRun extends SampledRun {
  /** Run that trains its head: itself, or another with the same head phase. */
  readonly headRunIndex: number;
}

export interface SweepPreview {
  readonly runs: readonly PreviewedRun[];
  readonly variedNames: readonly string[];
  readonly duplicateCount: number;
  /** Number of runs that `max_runs` requests and the search space does not contain. */
  readonly missingCount: number;
  /** Facts about the runs that the spec does not make obvious, as sentences. */
  readonly notes: readonly string[];
  /** Tasks, each after its prerequisites. */
  readonly tasks: readonly PreviewedTask[];
  /** Passes of one split through a frozen base if each run executed its own in every epoch. */
  readonly basePassCountAlone: number;
  /** The same with stored features and shared streams. */
  readonly basePassCountShared: number;
  readonly cost: PlanCost;
  readonly imageCounts: ImageCounts;
  /** true if the data set was never indexed, so that the numbers of images are those of a small data set. */
  readonly imageCountsAssumed: boolean;
}

/** Known facts about a sweep's images before it is submitted. */
export interface KnownImages {
  readonly imageCounts: ImageCounts;
  readonly classCount: number;
}

/** Cats-vs-dogs "small", the reference set, which is assumed if nothing is known. */
const ASSUMED_IMAGES: KnownImages = {
  imageCounts: { train: 2_000, validation: 1_000, test: 2_000 },
  classCount: 2,
};

const PREVIEW_ID = 'preview';

/**
 * Returns the plan and the cost of a sweep before its images are listed and its weights are resolved. The spec must be
 * valid.
 *
 * @param images null: the data set was never indexed.
 */
export function previewSweep(spec: SweepSpec, cluster: Cluster, images: KnownImages | null): SweepPreview {
  const sampled = sampleRuns(spec);
  const { runs, duplicateCount, missingCount } = sampled;
  const all = runs.map(({ index, parameters }) => ({
    runId: runIdOf(PREVIEW_ID, index),
    index,
    config: compileRunConfig(parameters),
  }));
  const known = images ?? ASSUMED_IMAGES;
  const dataset = { digest: PREVIEW_ID, ...known };
  const { objective, testPolicy } = spec;
  const infeasible = infeasibleRuns(all);
  const leftOut = new Set(infeasible.map(({ runId }) => runId));
  const planned = all.filter(({ runId }) => !leftOut.has(runId));
  const plan = planWith({ sweepId: PREVIEW_ID, objective, runs: planned, dataset, cluster }, weightsAsDigest);
  const context = costContextOf({ dataset, cluster });
  const needs = planned.map((run) => needsOf(run, PREVIEW_ID, weightsAsDigest));
  const indexes = new Map(planned.map(({ runId, index }) => [runId, index]));
  return {
    runs: runs.map((run) => {
      const headRun = plan.sharedHeads.get(runIdOf(PREVIEW_ID, run.index));
      return { ...run, headRunIndex: headRun === undefined ? run.index : (indexes.get(headRun) ?? run.index) };
    }),
    variedNames: variedNames(runs),
    duplicateCount,
    missingCount,
    notes: [...samplingNotes(spec, sampled), ...infeasibleNotes(infeasible)],
    tasks: previewTasks(spec, plan, planned, context, hasBaseline(spec, runs)),
    basePassCountAlone: planned.reduce((sum, { config }) => sum + passesAlone(config), 0),
    basePassCountShared: passesShared(plan, planned),
    cost: planCost(plan, context, needs, cluster.slotCount, testPolicy),
    imageCounts: known.imageCounts,
    imageCountsAssumed: images === null,
  };
}

/** The digests are not known yet; equal weights of a backbone have equal ones, and sharing depends on nothing else. */
const weightsAsDigest: WeightsDigest = ({ weights }) => weights;

/** Names runs whose cut or unfreeze depth their backbone does not have, one sentence for each reason. */
function infeasibleNotes(infeasible: readonly InfeasibleRun[]): string[] {
  return groupBy(infeasible, ({ reason }) => reason).map((group) => {
    const count = group.length === 1 ? '1 run is' : `${group.length} runs are`;
    return `${count} INFEASIBLE, and left out of the plan: ${group[0]?.reason ?? ''}`;
  });
}

/**
 * Returns the passes of a run on its own: every epoch of every phase passes the training and the validation images
 * through the frozen part.
 */
function passesAlone(config: RunConfig): number {
  return 2 * (config.epochs + fineTunePasses(config));
}

/** Returns the epochs of fine-tuning with a frozen part; none if all layers train. */
function fineTunePasses({ fineTune }: RunConfig): number {
  return fineTune === null || fineTune.unfreeze === 'all' ? 0 : fineTune.epochs;
}

function passesShared(plan: Plan, runs: readonly PlannedRun[]): number {
  const byId = new Map(runs.map((run) => [run.runId, run.config]));
  let passes = 0;
  for (const task of plan.tasks) {
    const configs = task.runIds.map((runId) => byId.get(runId)).filter((config) => config !== undefined);
    const augmented = configs.filter((config) => config.method === 'augmented');
    if (task.stage === 'FEATURES') passes += task.featureSets.length;
    if (task.stage === 'HEAD') passes += Math.max(0, ...augmented.map((config) => config.epochs));
    if (task.stage === 'FINE_TUNE') passes += Math.max(0, ...augmented.map(fineTunePasses));
  }
  return passes;
}

function hasBaseline(spec: SweepSpec, [first]: readonly SampledRun[]): boolean {
  return first !== undefined && firstRunIsBaseline(spec, first.parameters);
}

function previewTasks(
  spec: SweepSpec,
  plan: Plan,
  runs: readonly PlannedRun[],
  context: CostContext,
  withBaseline: boolean,
): PreviewedTask[] {
  const indexes = new Map(runs.map(({ runId, index }) => [runId, index]));
  const positions = new Map(plan.tasks.map(({ taskId }, position) => [taskId, position + 1]));
  const references = weightsReferencesOf(runs.map(({ config }) => config));
  const bases = references.map(({ backbone, weights }) => `${backbone} (${weights})`).join(', ');
  const { seconds, memoryBytes } = forecastIndex(context);
  const index: PreviewedTask = {
    stage: 'INDEX',
    runIndexes: [],
    description: `list and check the images of ${spec.dataset.path}; find the weights of ${bases}`,
    dependencies: [],
    seconds,
    memoryBytes,
    featureBytes: 0,
  };
  const middle = plan.tasks.map(({ stage, runIds, description, dependsOn, forecast }) => ({
    stage,
    runIndexes: runIds.map((runId) => indexes.get(runId) ?? 0),
    description,
    dependencies: dependsOn.length === 0 ? [0] : dependsOn.map((taskId) => positions.get(taskId) ?? 0),
    seconds: forecast.seconds,
    memoryBytes: forecast.memoryBytes,
    featureBytes: forecast.featureBytes,
  }));
  const looks = forecastEvaluations(context, runs, spec.testPolicy);
  const evaluate: PreviewedTask = {
    stage: 'EVALUATE',
    runIndexes: spec.testPolicy === 'every_run' ? runs.map((run) => run.index) : [],
    description: `test images for ${
      spec.testPolicy === 'every_run'
        ? `every run (${runs.length} looks)`
        : withBaseline
          ? 'the winner by validation and the first run'
          : 'the winner by validation; there is no baseline'
    }`,
    dependencies: middle.flatMap(({ stage }, position) => (stage === 'FEATURES' ? [] : [position + 1])),
    seconds: looks.reduce((sum, look) => sum + look.seconds, 0),
    memoryBytes: Math.max(0, ...looks.map((look) => look.memoryBytes)),
    featureBytes: 0,
  };
  return [index, ...middle, evaluate];
}
