import { streamKey } from '../../core/planner/grouping.ts';
import { compileRunConfig } from '../../core/search-space/compile.ts';
import type { RunConfig } from '../../core/run-config.ts';
import type { CheckpointRef, RunOutcome, TaskRun } from '../../core/task.ts';
import { requireWeights } from '../backbones/backbone.ts';
import type { BackboneShape } from '../backbones/backbone.ts';
import { CheckpointError } from '../checkpoints/training-checkpoint.ts';
import type { TrainingCheckpoint } from '../checkpoints/training-checkpoint.ts';
import type { ManifestImage } from '../../core/dataset.ts';
import { nodeBackend } from '../engine/engine.ts';
import { Loss, classWeightsOf } from '../heads/loss.ts';
import { NativeHead } from '../heads/native-head.ts';
import { openCheckpoint, requireIntact } from './checkpoint-file.ts';
import { CheckpointWriter } from './checkpoint-writer.ts';
import { NativeLearner, NetworkLearner } from './learner.ts';
import type { Learner } from './learner.ts';
import { Member, assignAll } from './member.ts';
import type { Phase } from './member.ts';
import { MicroBatchNetwork } from './micro-batches.ts';
import { FineTuneNetwork, HeadNetwork, featureCountOf, headInput } from './network.ts';
import type { Network } from './network.ts';
import { openSplitReader } from './split-reader.ts';
import type { SplitReader } from './split-reader.ts';
import { openDataset, openTrainingBase } from './task-context.ts';
import type { TaskContext } from './task-context.ts';
import { TaskFailureError, taskErrorOf } from './task-error.ts';
import { TrainingLoop, runOutcome } from './training-loop.ts';
import type { TrainingEnd } from './training-loop.ts';

/** Images of one validation step. Heads need little memory; unfrozen layers need much. */
const VALIDATION_BATCH_SIZE = { HEAD: 256, FINE_TUNE: 32 } as const;

type TrainStage = Phase['stage'];

interface ConfiguredRun {
  readonly run: TaskRun;
  readonly config: RunConfig;
}

/** Everything that the runs of a group share. */
interface Group {
  readonly context: TaskContext;
  readonly stage: TrainStage;
  readonly backbone: BackboneShape;
  readonly classNames: readonly string[];
  readonly trainImages: readonly ManifestImage[];
  readonly writer: CheckpointWriter;
}

/** Executes HEAD and FINE_TUNE: trains the runs of the task as one group. */
export async function runTrainStage(context: TaskContext, stage: TrainStage): Promise<TrainingEnd> {
  const { task, artifacts, link } = context;
  const outcomes: RunOutcome[] = [];
  const configured = configureRuns(task.runs, outcomes);
  const [first] = configured;
  if (first === undefined) return { outcomes, action: null };
  checkGroup(configured);
  await requireIntact(
    context,
    configured.flatMap(({ run }) => startingPoint(run) ?? []),
  );
  const { config } = first;
  const indexed = await openDataset(context);
  const backbone = await openTrainingBase(context, config);
  const members: Member[] = [];
  let train: SplitReader | null = null;
  let validation: SplitReader | null = null;
  try {
    const writer = new CheckpointWriter(artifacts, link, task.leaseEpoch, context.checkpointSeconds);
    const { classNames } = indexed.dataset;
    const trainImages = indexed.images.filter(({ split }) => split === 'train');
    const group = { context, stage, backbone, classNames, trainImages, writer };
    members.push(...(await createMembers(group, configured, outcomes)));
    if (members.length === 0) return { outcomes, action: null };
    const readers = { ...context, indexed, backbone, inputs: members.map(({ learner }) => learner.input) };
    const { microBatchDivisor } = task;
    const common = { ...readers, featureSets: task.featureSets, microBatchDivisor, onProgress: link.onProgress };
    train = await openSplitReader({ ...common, split: 'train', augmentation: config.augmentation });
    validation = await openSplitReader({ ...common, split: 'validation', augmentation: null });
    const { batchSize, dataSeed } = config;
    const validationBatchSize = VALIDATION_BATCH_SIZE[stage] / microBatchDivisor;
    const loop = new TrainingLoop(
      { link, writer, train, validation, batchSize, dataSeed, validationBatchSize },
      members.splice(0),
    );
    const end = await loop.run();
    return { outcomes: [...outcomes, ...end.outcomes], action: end.action };
  } finally {
    for (const member of members) member.dispose();
    train?.dispose();
    validation?.dispose();
    backbone.dispose();
  }
}

/** Returns the checkpoint that a run starts from. A checkpoint to resume contains all tensors, so the source is not needed. */
function startingPoint({ resumeCheckpoint, sourceCheckpoint }: TaskRun): CheckpointRef | null {
  return resumeCheckpoint ?? sourceCheckpoint;
}

/** Compiles the parameters of the runs to train. Adds outcomes for runs that were stopped or whose parameters are invalid. */
function configureRuns(runs: readonly TaskRun[], outcomes: RunOutcome[]): readonly ConfiguredRun[] {
  return runs.flatMap((run) => {
    if (run.stopped) {
      outcomes.push(runOutcome(run.runId, 'STOPPED', run.resumeCheckpoint?.epoch ?? 0));
      return [];
    }
    try {
      return [{ run, config: compileRunConfig(run.parameters) }];
    } catch (error) {
      outcomes.push(runOutcome(run.runId, 'FAILED', 0, taskErrorOf(error)));
      return [];
    }
  });
}

/** Refuses a group whose runs don't read the same batches: a planner bug must not train on the wrong images. */
function checkGroup(runs: readonly ConfiguredRun[]): void {
  const keys = new Set(runs.map(({ config }) => batchKey(config)));
  if (keys.size <= 1) return;
  throw new TaskFailureError(
    'PERMANENT',
    'TASK_INVALID',
    `The runs ${runs.map(({ run }) => run.runId).join(', ')} can't be trained as one group, because their batches ` +
      `differ: ${[...keys].join(' and ')}.`,
  );
}

function batchKey(config: RunConfig): string {
  if (config.method === 'augmented') return streamKey(config);
  return JSON.stringify([config.backbone.name, config.imageSize, config.batchSize, config.dataSeed]);
}

/** @param outcomes receives the failures of single runs. */
async function createMembers(group: Group, runs: readonly ConfiguredRun[], outcomes: RunOutcome[]): Promise<Member[]> {
  const members: Member[] = [];
  for (const configured of runs) {
    try {
      members.push(await createMember(group, configured));
    } catch (error) {
      const taskError = taskErrorOf(error);
      const { run } = configured;
      // A run's bad checkpoint or layer name fails this run only; any other error fails the group.
      if (taskError.errorClass !== 'PERMANENT') {
        for (const member of members) member.dispose();
        throw error;
      }
      outcomes.push(runOutcome(run.runId, 'FAILED', run.resumeCheckpoint?.epoch ?? 0, taskError));
    }
  }
  return members;
}

async function createMember(group: Group, configured: ConfiguredRun): Promise<Member> {
  const { context, stage, backbone, classNames, trainImages, writer } = group;
  const { run, config } = configured;
  const phase = phaseOf(stage, configured);
  const weights = classWeightsOf(config.classWeights, trainImages, classNames);
  const learner = await createLearner(group, configured, phase);
  const member = new Member({
    runId: run.runId,
    config,
    phase,
    learner,
    loss: new Loss(classNames.length, config.labelSmoothing, weights, config.loss),
    objective: context.task.objective,
    classMetrics: context.task.classMetrics,
    milestoneEpochs: run.milestoneEpochs,
    pauseEpoch: run.pauseEpoch,
    baseDigest: backbone.weightsDigest,
    stepsPerEpoch: Math.ceil(trainImages.length / config.batchSize),
  });
  if (run.resumeCheckpoint === null) return member;
  try {
    const { path, checkpoint } = await openCheckpoint(context, run.resumeCheckpoint);
    member.resume(path, checkpoint);
    writer.resumed(member);
    return member;
  } catch (error) {
    member.dispose();
    throw error;
  }
}

/** Creates the learner: native code for heads on a CPU, many at once; TensorFlow's ops for everything else. */
async function createLearner(group: Group, configured: ConfiguredRun, { stage, optimizer }: Phase): Promise<Learner> {
  const { context, backbone, classNames } = group;
  const { config } = configured;
  const classCount = classNames.length;
  if (stage === 'HEAD' && !nodeBackend().isUsingGpuDevice) {
    const featureCount = featureCountOf(config, backbone);
    const head = new NativeHead(config.head, optimizer, featureCount, classCount, config.seed);
    return new NativeLearner(headInput(config, backbone), head);
  }
  const whole =
    stage === 'HEAD' ? new HeadNetwork(config, backbone, classCount) : await createFineTuneNetwork(group, configured);
  const { microBatchDivisor } = context.task;
  return new NetworkLearner(microBatchDivisor > 1 ? new MicroBatchNetwork(whole, microBatchDivisor) : whole, optimizer);
}

/**
 * Creates the network of a fine-tuning, with the values of the trained head. Fine-tuning under an untrained head would destroy
 * the base's features, so the run must allow it explicitly.
 */
async function createFineTuneNetwork(group: Group, configured: ConfiguredRun): Promise<Network> {
  const { context, backbone, classNames } = group;
  const { run, config } = configured;
  const classCount = classNames.length;
  const { unfreeze, allowUntrainedHead } = fineTuneOf(configured);
  if (run.sourceCheckpoint === null) {
    if (config.epochs === 0 && allowUntrainedHead)
      return new FineTuneNetwork(config, unfreeze, requireWeights(backbone), classCount);
    throw new TaskFailureError(
      'PERMANENT',
      'CHECKPOINT_MISSING',
      `Run ${run.runId} can't be fine-tuned: the task names no trained head (source_checkpoint) to start from, and ` +
        'fine_tune.allow_untrained_head is false or epochs is not 0.',
    );
  }
  // `resume` assigns every variable, so the head's file is not needed and may even be damaged.
  if (run.resumeCheckpoint !== null) return new FineTuneNetwork(config, unfreeze, requireWeights(backbone), classCount);
  const { path, checkpoint } = await openCheckpoint(context, run.sourceCheckpoint);
  checkBase(path, checkpoint, backbone);
  const network = new FineTuneNetwork(config, unfreeze, requireWeights(backbone), classCount);
  try {
    assignAll(path, network.headVariables, checkpoint.predicting);
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/** Checks the base of a checkpoint. @throws {CheckpointError} when its tensors belong to a base with other weights. */
export function checkBase(path: string, { state }: TrainingCheckpoint, backbone: BackboneShape): void {
  if (state.baseDigest === backbone.weightsDigest) return;
  throw new CheckpointError(
    path,
    'baseDigest',
    `it was trained on a base whose weights have the digest ${state.baseDigest}, but this trainer's have ` +
      `${backbone.weightsDigest}. Use the weight file it was trained with.`,
  );
}

function phaseOf(stage: TrainStage, configured: ConfiguredRun): Phase {
  if (stage === 'HEAD') {
    const { epochs, optimizer, schedule, earlyStopping } = configured.config;
    return { stage, epochs, optimizer, schedule, earlyStopping };
  }
  const { epochs, optimizer, schedule, earlyStopping } = fineTuneOf(configured);
  return { stage, epochs, optimizer, schedule, earlyStopping };
}

function fineTuneOf({ run, config }: ConfiguredRun) {
  if (config.fineTune !== null) return config.fineTune;
  throw new TaskFailureError(
    'PERMANENT',
    'PARAMETERS_INVALID',
    `Run ${run.runId} was leased for FINE_TUNE, but its parameters have fine_tune.enabled = false.`,
  );
}
