import { runIdOf } from '../ids.ts';
import type { PlanCost, PlannedTaskRecord, SweepPlanRecord } from '../records/plan.ts';
import type { RunConfig } from '../run-config.ts';
import { firstRunIsBaseline } from '../samplers/baseline.ts';
import type { SampledRun } from '../samplers/sample-runs.ts';
import { variedNames, withVaried } from '../samplers/sample-runs.ts';
import { isAdaptive } from '../samplers/samplers.ts';
import { roundNotes } from '../samplers/round-notes.ts';
import { samplingNotes } from '../samplers/sampling-notes.ts';
import { searchNotes } from '../samplers/search-notes.ts';
import { trainingNotes } from '../samplers/training-notes.ts';
import { expectedRuns } from '../search-round/expected-runs.ts';
import { compileRunConfig } from '../search-space/compile.ts';
import { ladderRun } from '../stopping/ladder.ts';
import { policyOf } from '../stopping/policy.ts';
import { firstRoundSize } from '../stopping/rounds-policy.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import { forecastEvaluations, planCost } from './cost/plan-cost.ts';
import { forecastIndex } from './cost/task-cost.ts';
import type { CostContext, ImageCounts } from './cost/task-cost.ts';
import { groupBy } from './grouping.ts';
import type { Cluster, InfeasibleRun, Plan, PlannedRun } from './plan.ts';
import { costContextOf, infeasibleRuns, planWith } from './plan-sweep.ts';
import { previewScreen } from './preview-screen.ts';
import type { ScreenPreview } from './preview-screen.ts';
import { forecastFinalists, withFinalists } from './search/forecast-finalists.ts';
import { forecastSearch, unforeseenNote } from './search/forecast-search.ts';
import { needsOf } from './run-needs.ts';
import { weightsReferencesOf } from './weights-digests.ts';
import type { WeightsDigest } from './weights-digests.ts';
import { countOf } from '../text/count-of.ts';

/** Known facts about a sweep's images before it is submitted. */
export interface KnownImages {
  /** `indexed`: read from the record of an earlier sweep; `counted`: by the client, from the names of the files. */
  readonly source: 'indexed' | 'counted';
  readonly imageCounts: ImageCounts;
  readonly classCount: number;
}

/** Cats-vs-dogs "small", the reference set, which is assumed if nothing is known. */
const ASSUMED_IMAGES: Omit<KnownImages, 'source'> = {
  imageCounts: { train: 2_000, validation: 1_000, test: 2_000 },
  classCount: 2,
};

const PREVIEW_ID = 'preview';

/** Runs of other sweeps that have trained a part of the plan, by the number of the run that would take it. */
export interface TrainedBefore {
  /** Run that has trained the whole result. */
  readonly results: ReadonlyMap<number, string>;
  /** Run that has trained the head of a fine-tuned run. */
  readonly heads: ReadonlyMap<number, string>;
}

const NOTHING_TRAINED: TrainedBefore = { results: new Map(), heads: new Map() };

/**
 * Returns the plan and the cost of a sweep before its images are listed and its weights are resolved. The spec must be
 * valid.
 *
 * @param images null: the data set was never indexed, and its images were not counted.
 * @param trained costs nothing
 */
export function previewSweep(
  spec: SweepSpec,
  cluster: Cluster,
  images: KnownImages | null,
  trained: TrainedBefore = NOTHING_TRAINED,
): SweepPlanRecord {
  const sampled = expectedRuns(spec);
  const { runs: expected, duplicateCount, missingCount } = sampled;
  // Those of later rounds are not known yet.
  const runs = isAdaptive(spec) ? expected.slice(0, firstRoundSize(spec)) : expected;
  const isKnown = ({ index }: { readonly index: number }): boolean => index < runs.length;
  const all = expected.map(({ index, parameters }) => ({
    runId: runIdOf(PREVIEW_ID, index),
    index,
    config: compileRunConfig(parameters),
  }));
  const { imageCounts, classCount } = images ?? ASSUMED_IMAGES;
  const dataset = { digest: PREVIEW_ID, imageCounts, classCount };
  const { objective, testPolicy } = spec;
  const classes = images === null ? null : { count: images.classCount, names: null };
  const infeasible = infeasibleRuns(all, classes, spec.constraints);
  const leftOut = new Set(infeasible.map(({ runId }) => runId));
  const feasible = all.filter(({ runId }) => !leftOut.has(runId));
  const toTrain = feasible.filter(({ index }) => !trained.results.has(index));
  const trainedHeads = new Map([...trained.heads].map(([index, runId]) => [runIdOf(PREVIEW_ID, index), runId]));
  const planOf = (some: readonly PlannedRun[]): Plan =>
    planWith({ sweepId: PREVIEW_ID, objective, runs: some, dataset, cluster, trainedHeads }, weightsAsDigest);
  const context = costContextOf({ objective, dataset, cluster });
  const screening = previewScreen(
    spec,
    {
      sweepId: PREVIEW_ID,
      runs: toTrain,
      baselineRunId: hasBaseline(spec, runs) ? runIdOf(PREVIEW_ID, 0) : null,
      context,
      datasetDigest: PREVIEW_ID,
      digestOf: weightsAsDigest,
    },
    cluster.slotCount,
    (some) => planOf(some).tasks.reduce((sum, { forecast }) => sum + forecast.seconds, 0),
  );
  const planned = toTrain.filter(({ runId }) => screening?.keptRunIds.has(runId) ?? true);
  const plan = planOf(planned);
  const known = planned.filter(isKnown);
  const knownPlan = known.length === planned.length ? plan : planOf(known);
  const needs = planned.map((run) => needsOf(run, PREVIEW_ID, weightsAsDigest));
  const indexes = new Map(planned.map(({ runId, index }) => [runId, index]));
  const varied = variedNames(runs);
  const policy = {
    ...policyOf(
      spec,
      feasible.map(({ index, config }) => ladderRun(index, config)),
    ),
    ...(screening && { screen: screening.policy }),
  };
  const cost = withProbes(planCost(plan, context, needs, cluster.slotCount, testPolicy), screening);
  const slotCount = Math.min(cluster.slotCount, spec.maxParallelSlots ?? Infinity);
  const finalists = forecastFinalists(spec.finalists, needs, context, slotCount);
  return {
    runs: runs.map(({ index, parameters }) => {
      const headRun = knownPlan.sharedHeads.get(runIdOf(PREVIEW_ID, index));
      const headRunIndex = headRun === undefined ? index : (indexes.get(headRun) ?? index);
      return {
        runIndex: index,
        parameters: withVaried(parameters, varied),
        variedNames: varied,
        headRunIndex,
        reusedRunId: trained.results.get(index) ?? null,
      };
    }),
    duplicateCount,
    missingRunCount: missingCount,
    notes: [
      ...roundNotes(spec),
      ...samplingNotes(spec, sampled),
      ...trainingNotes(spec, runs, varied),
      ...searchNotes(spec, runs),
      ...[unforeseenNote(policy)].filter((note) => note !== null),
      ...(screening === null ? [] : [screening.note]),
      ...infeasibleNotes(infeasible),
      ...trainedNotes(trained, runs.length),
    ],
    tasks: previewTasks(
      spec,
      knownPlan,
      { planned: known, feasible: feasible.filter(isKnown), screening },
      context,
      hasBaseline(spec, runs),
    ),
    basePassCountAlone: toTrain.reduce((sum, { config }) => sum + passesAlone(config), 0),
    basePassCountShared: passesShared(plan, planned),
    cost: {
      ...cost,
      trainImageCount: imageCounts.train,
      validationImageCount: imageCounts.validation,
      testImageCount: imageCounts.test,
      imageCountsAssumed: images === null,
      imageCountsFromClient: images?.source === 'counted',
      search: withFinalists(
        forecastSearch({ spec, policy, plan, needs, context, cost, cluster, firstCount: known.length }),
        finalists,
        spec.budget,
      ),
      finalists,
    },
  };
}

/** Adds the probes to the cost of what they keep. */
function withProbes(cost: PlanCost, screening: ScreenPreview | null): PlanCost {
  if (screening === null) return cost;
  const { probes, slotSeconds, wallSeconds } = screening;
  return {
    ...cost,
    slotSeconds: cost.slotSeconds + slotSeconds,
    wallSeconds: cost.wallSeconds + wallSeconds,
    memoryBytes: Math.max(cost.memoryBytes, ...probes.map(({ forecast }) => forecast.memoryBytes)),
  };
}

/** The digests are not known yet; equal weights of a backbone have equal ones, and sharing depends on nothing else. */
const weightsAsDigest: WeightsDigest = ({ weights }) => weights;

/** Says what costs nothing because another sweep has trained it, and how to train it all the same. */
function trainedNotes({ results, heads }: TrainedBefore, runCount: number): string[] {
  if (results.size + heads.size === 0) return [];
  const taken = results.size === 0 ? [] : [`the results of ${results.size} of ${countOf(runCount, 'run')}`];
  const started = heads.size === 0 ? [] : [`the heads of ${countOf(heads.size, 'fine-tuned run')}`];
  const what = [...taken, ...started].join(' and ');
  return [
    `${what.charAt(0).toUpperCase()}${what.slice(1)} are taken from other sweeps and cost nothing, if images and weights are unchanged; ` +
      '`reuse: false` trains them again',
  ];
}

/** Names runs that can't be trained, or whose model is over a constraint, one sentence for each reason. */
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

interface PreviewedRuns {
  /** Runs whose work is shown. */
  readonly planned: readonly PlannedRun[];
  readonly feasible: readonly PlannedRun[];
  readonly screening: ScreenPreview | null;
}

function previewTasks(
  spec: SweepSpec,
  plan: Plan,
  { planned: runs, feasible, screening }: PreviewedRuns,
  context: CostContext,
  withBaseline: boolean,
): PlannedTaskRecord[] {
  const indexes = new Map(feasible.map(({ runId, index }) => [runId, index]));
  const probes = (screening?.probes ?? []).map(({ runIds, description, forecast }): PlannedTaskRecord => ({
    stage: 'PROBE',
    runIndexes: runIds.map((runId) => indexes.get(runId) ?? 0),
    description,
    dependencies: [0],
    expectedSeconds: forecast.seconds,
    expectedMemoryBytes: forecast.memoryBytes,
    featureBytes: 0,
  }));
  const first = probes.length === 0 ? [0] : probes.map((_, position) => position + 1);
  const positions = new Map(plan.tasks.map(({ taskId }, position) => [taskId, probes.length + position + 1]));
  const references = weightsReferencesOf(feasible.map(({ config }) => config));
  const bases = references.map(({ backbone, weights }) => `${backbone} (${weights})`).join(', ');
  const { seconds, memoryBytes } = forecastIndex(context);
  const index: PlannedTaskRecord = {
    stage: 'INDEX',
    runIndexes: [],
    description: `list and check the images of ${spec.dataset.path}; find the weights of ${bases}`,
    dependencies: [],
    expectedSeconds: seconds,
    expectedMemoryBytes: memoryBytes,
    featureBytes: 0,
  };
  const middle = plan.tasks.map(({ stage, runIds, description, dependsOn, forecast }) => ({
    stage,
    runIndexes: runIds.map((runId) => indexes.get(runId) ?? 0),
    description,
    dependencies: dependsOn.length === 0 ? first : dependsOn.map((taskId) => positions.get(taskId) ?? 0),
    expectedSeconds: forecast.seconds,
    expectedMemoryBytes: forecast.memoryBytes,
    featureBytes: forecast.featureBytes,
  }));
  const evaluations = forecastEvaluations(context, runs, spec.testPolicy);
  const evaluate: PlannedTaskRecord = {
    stage: 'EVALUATE',
    runIndexes: spec.testPolicy === 'every_run' ? runs.map((run) => run.index) : [],
    description: `test images for ${
      spec.testPolicy === 'every_run'
        ? `every run (${countOf(runs.length, 'evaluation')})`
        : withBaseline
          ? 'the winner by validation and the first run'
          : 'the winner by validation; there is no baseline'
    }`,
    dependencies: middle.flatMap(({ stage }, position) => (stage === 'FEATURES' ? [] : [probes.length + position + 1])),
    expectedSeconds: evaluations.reduce((sum, { seconds }) => sum + seconds, 0),
    expectedMemoryBytes: Math.max(0, ...evaluations.map((evaluation) => evaluation.memoryBytes)),
    featureBytes: 0,
  };
  return [index, ...probes, ...middle, evaluate];
}
