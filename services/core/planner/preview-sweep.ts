import { runIdOf } from '../ids.ts';
import type { RunConfig } from '../run-config.ts';
import type { SampledRun } from '../samplers/sample-runs.ts';
import { sampleRuns, variedNames } from '../samplers/sample-runs.ts';
import { compileRunConfig } from '../search-space/compile.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';
import type { Plan, PlannedRun } from './plan.ts';
import { planWith } from './plan-sweep.ts';
import type { WeightsResolver } from './weights-resolver.ts';
import { weightsReferencesOf } from './weights-resolver.ts';

export interface PreviewedTask {
  readonly stage: Stage;
  /** Numbers of the runs it serves. */
  readonly runIndexes: readonly number[];
  readonly description: string;
  /** Positions in the list of tasks. */
  readonly dependencies: readonly number[];
}

export interface SweepPreview {
  readonly runs: readonly SampledRun[];
  readonly variedNames: readonly string[];
  readonly duplicateCount: number;
  /** Each after everything it depends on. */
  readonly tasks: readonly PreviewedTask[];
  /** Passes of one split through a frozen base, if each run did its own in every epoch. */
  readonly basePassCountAlone: number;
  /** The same with stored features and shared streams. */
  readonly basePassCountShared: number;
}

const PREVIEW_ID = 'preview';

/**
 * What a sweep would do, before its images are listed and its weights are found. Which layer ends a frozen prefix is not
 * known yet; that equal parameters end it at the same one is, and that is all that sharing depends on.
 *
 * @param slotCount slots that would work on it. Expects a spec without violations.
 */
export function previewSweep(spec: SweepSpec, slotCount = 1): SweepPreview {
  const { runs, duplicateCount } = sampleRuns(spec);
  const planned = runs.map(({ index, parameters }) => ({
    runId: runIdOf(PREVIEW_ID, index),
    index,
    config: compileRunConfig(parameters),
  }));
  const { objective } = spec;
  const input = { sweepId: PREVIEW_ID, objective, runs: planned, dataset: { digest: PREVIEW_ID }, slotCount };
  const plan = planWith(input, BY_PARAMETERS);
  return {
    runs,
    variedNames: variedNames(runs),
    duplicateCount,
    tasks: previewTasks(spec, plan, planned),
    basePassCountAlone: planned.reduce((sum, { config }) => sum + passesAlone(config), 0),
    basePassCountShared: passesShared(plan, planned),
  };
}

const BY_PARAMETERS: WeightsResolver = {
  digest: (backbone) => backbone.weights,
  checkCut: () => undefined,
  prefixCut: (backbone, unfreeze) => (unfreeze === 'all' ? null : prefixText(backbone.cut, unfreeze)),
};

function prefixText(cut: string | null, unfreeze: string): string {
  const depth = /^\d+$/.test(unfreeze)
    ? `the last ${unfreeze} layers`
    : unfreeze.replace('last_block', 'the last block');
  return `the layer below ${depth}${cut === null ? '' : ` of the base up to ${cut}`}`;
}

/** Every epoch of every phase takes the training and the validation images through the frozen part. */
function passesAlone(config: RunConfig): number {
  return 2 * (config.epochs + fineTunePasses(config));
}

/** Epochs of fine-tuning with a frozen part; where all layers train there is none. */
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
    if (task.stage === 'FINE_TUNE') passes += augmented.reduce((sum, config) => sum + fineTunePasses(config), 0);
  }
  return passes;
}

function previewTasks(spec: SweepSpec, plan: Plan, runs: readonly PlannedRun[]): PreviewedTask[] {
  const indexes = new Map(runs.map(({ runId, index }) => [runId, index]));
  const positions = new Map(plan.tasks.map(({ taskId }, position) => [taskId, position + 1]));
  const references = weightsReferencesOf(runs.map(({ config }) => config));
  const bases = references.map(({ backbone, weights }) => `${backbone} (${weights})`).join(', ');
  const index: PreviewedTask = {
    stage: 'INDEX',
    runIndexes: [],
    description: `list and check the images of ${spec.dataset.path}; find the weights of ${bases}`,
    dependencies: [],
  };
  const middle = plan.tasks.map(({ stage, runIds, description, dependsOn }) => ({
    stage,
    runIndexes: runIds.map((runId) => indexes.get(runId) ?? 0),
    description,
    dependencies: dependsOn.length === 0 ? [0] : dependsOn.map((taskId) => positions.get(taskId) ?? 0),
  }));
  const evaluate: PreviewedTask = {
    stage: 'EVALUATE',
    runIndexes: spec.testPolicy === 'every_run' ? runs.map((run) => run.index) : [],
    description: `test images for ${
      spec.testPolicy === 'every_run'
        ? `every run (${runs.length} looks)`
        : 'the winner by validation and the first run'
    }`,
    dependencies: middle.flatMap(({ stage }, position) => (stage === 'FEATURES' ? [] : [position + 1])),
  };
  return [index, ...middle, evaluate];
}
