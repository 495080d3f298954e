import { groupBy } from '../../core/planner/grouping.ts';
import { compileRunConfig } from '../../core/search-space/compile.ts';
import type { RunConfig } from '../../core/run-config.ts';
import type { CheckpointRef, TaskResult, TaskRun, TestMeasurement, TestPrediction } from '../../core/task.ts';
import type { Backbone } from '../backbones/backbone.ts';
import { epochBatches } from '../data/batches.ts';
import type { IndexedDataset } from '../data/manifest.ts';
import { outputCountOf } from '../../core/network/head-variables.ts';
import { Loss, predictedLabel, probabilitiesOf } from '../heads/loss.ts';
import type { LossSums } from '../heads/loss.ts';
import { openCheckpoint, requireIntact } from './checkpoint-file.ts';
import { addSums, NO_SUMS } from './loss-sums.ts';
import { assignAll } from './member.ts';
import { FineTuneNetwork, HeadNetwork } from './network.ts';
import type { Network } from './network.ts';
import { openSplitReader } from './split-reader.ts';
import type { Batch, SplitReader } from './split-reader.ts';
import { openBackbone, openDataset } from './task-context.ts';
import type { TaskContext } from './task-context.ts';
import { TaskFailureError } from './task-error.ts';
import { checkBase } from './train-stage.ts';

const BATCH_SIZE = 32;

interface Subject {
  readonly run: TaskRun;
  readonly config: RunConfig;
  readonly source: CheckpointRef;
}

interface Evaluation extends Subject {
  readonly network: Network;
  readonly loss: Loss;
  readonly predictions: TestPrediction[];
  sums: LossSums;
}

/** Executes EVALUATE: each run's best checkpoint on the test split. Runs on one base share the pass over the images. */
export async function runEvaluateStage(context: TaskContext): Promise<TaskResult> {
  const indexed = await openDataset(context);
  const subjects = context.task.runs.filter(({ stopped }) => !stopped).map(subjectOf);
  await requireIntact(
    context,
    subjects.map(({ source }) => source),
  );
  const groups = groupBy(subjects, ({ config }) =>
    JSON.stringify([config.backbone.name, config.backbone.weights, config.imageSize]),
  );
  const measurements: TestMeasurement[] = [];
  for (const group of groups) measurements.push(...(await evaluateGroup(context, indexed, group)));
  return { stage: 'EVALUATE', measurements };
}

function subjectOf(run: TaskRun): Subject {
  if (run.sourceCheckpoint === null) {
    throw new TaskFailureError(
      'PERMANENT',
      'CHECKPOINT_MISSING',
      `Run ${run.runId} can't be evaluated: the task names no checkpoint (source_checkpoint).`,
    );
  }
  return { run, config: compileRunConfig(run.parameters), source: run.sourceCheckpoint };
}

async function evaluateGroup(
  context: TaskContext,
  indexed: IndexedDataset,
  subjects: readonly Subject[],
): Promise<readonly TestMeasurement[]> {
  const [first] = subjects;
  if (first === undefined) return [];
  const { config } = first;
  const backbone = await openBackbone(context, config.backbone.name, config.backbone.weights, config.imageSize);
  const evaluations: Evaluation[] = [];
  let reader: SplitReader | null = null;
  try {
    for (const subject of subjects) evaluations.push(await openEvaluation(context, subject, indexed, backbone));
    reader = await openSplitReader({
      ...context,
      indexed,
      backbone,
      split: 'test',
      inputs: evaluations.map(({ network }) => network.input),
      featureSets: context.task.featureSets,
      augmentation: null,
      onProgress: context.link.onProgress,
    });
    await readAll(context, reader, evaluations);
    return evaluations.map(measurementOf);
  } finally {
    for (const { network } of evaluations) network.dispose();
    reader?.dispose();
    backbone.dispose();
  }
}

async function openEvaluation(
  context: TaskContext,
  subject: Subject,
  indexed: IndexedDataset,
  backbone: Backbone,
): Promise<Evaluation> {
  const { config, source, run } = subject;
  const classCount = indexed.dataset.classNames.length;
  const { path, checkpoint } = await openCheckpoint(context, source);
  checkBase(path, checkpoint, backbone);
  const network =
    checkpoint.state.stage === 'HEAD'
      ? new HeadNetwork(config, backbone, classCount)
      : new FineTuneNetwork(config, unfreezeOf(run, config), backbone, classCount);
  try {
    assignAll(path, network.variables, checkpoint.predicting);
  } catch (error) {
    network.dispose();
    throw error;
  }
  const loss = new Loss(classCount, config.labelSmoothing, null, config.loss);
  return { ...subject, network, loss, predictions: [], sums: NO_SUMS };
}

async function readAll(
  { link, task }: TaskContext,
  reader: SplitReader,
  evaluations: readonly Evaluation[],
): Promise<void> {
  let done = 0;
  const batchSize = BATCH_SIZE / task.microBatchDivisor;
  for (const indices of epochBatches({ count: reader.count, batchSize, order: null })) {
    const batch = reader.read(indices, 1);
    try {
      for (const evaluation of evaluations) predict(evaluation, batch, indices, reader.paths);
    } finally {
      batch.dispose();
    }
    done += indices.length;
    await link.breatheOrStop(done, reader.count, 'test images');
  }
}

function predict(evaluation: Evaluation, batch: Batch, indices: Uint32Array, paths: readonly string[]): void {
  const { network, loss, predictions } = evaluation;
  const output = network.predict(batch.input(network.input));
  const logits = output.dataSync<'float32'>();
  output.dispose();
  evaluation.sums = addSums(evaluation.sums, loss.measure(logits, batch, false));
  const width = outputCountOf(loss.classCount);
  for (const [row, label] of batch.labels.entries()) {
    const values = logits.slice(row * width, (row + 1) * width);
    predictions.push({
      path: paths[indices[row] ?? -1] ?? '',
      label,
      predictedLabel: predictedLabel(values),
      probabilities: probabilitiesOf(values),
    });
  }
}

function measurementOf({ run, source, network, sums, predictions }: Evaluation): TestMeasurement {
  return {
    runId: run.runId,
    checkpointId: source.checkpointId,
    role: run.role ?? 'EVERY_RUN',
    // Keras' `evaluate` includes the penalty in the loss.
    loss: Math.fround(sums.lossSum / sums.imageCount + network.penaltyValue()),
    predictions,
  };
}

function unfreezeOf(run: TaskRun, { fineTune }: RunConfig): string {
  if (fineTune !== null) return fineTune.unfreeze;
  throw new TaskFailureError(
    'PERMANENT',
    'CHECKPOINT_INVALID',
    `The checkpoint of run ${run.runId} is of FINE_TUNE, but its parameters have fine_tune.enabled = false.`,
  );
}
