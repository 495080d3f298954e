import { createHash, randomUUID } from 'node:crypto';
import { checkpointUri } from '../../../services/core/checkpoint-uri.ts';
import type { Split } from '../../../services/core/dataset.ts';
import { outputShapeAt } from '../../../services/core/network/base-cost.ts';
import { featureSetUri } from '../../../services/core/reports/check-features.ts';
import { MAX_REPORTED_LOSSES, STAGES } from '../../../services/core/task.ts';
import type {
  CheckpointKind,
  CheckpointRef,
  FeatureSetRef,
  LeasedTask,
  ProbeMeasurement,
  ProbeOrder,
  RunOutcome,
  Stage,
  TaskError,
  TaskResult,
  TestPrediction,
} from '../../../services/core/task.ts';
import type { ArtifactStore } from '../../../services/platform/artifacts/artifact-store.ts';
import type { Calls } from '../../../services/platform/rpc/client.ts';
import { durationToProto } from '../../../services/platform/rpc/convert/duration.ts';
import { checkpointFromProto, checkpointToProto } from '../../../services/platform/rpc/convert/checkpoint.ts';
import { stages } from '../../../services/platform/rpc/convert/run.ts';
import { taskEndToProto } from '../../../services/platform/rpc/convert/task-result.ts';
import { leasedTaskFromProto } from '../../../services/platform/rpc/convert/task.ts';
import type {
  RegisterTrainerResponse,
  ReportMetricsRequest,
  ReportMetricsResponse,
  StoreReport,
  TaskDirective,
  TrainerServiceService,
} from '../../../proto/gen/graft/v1/trainer_service.ts';

import { datasetOf, firstRight, simulatedDataset } from './simulated-dataset.ts';
import type { SimulatedDataset, SimulatedImage } from './simulated-dataset.ts';

/** Fields that every write of a trainer carries. */
export interface LeaseProof {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly trainerId: string;
  readonly leaseSecret: string;
}

type TrainerCalls = Calls<typeof TrainerServiceService>;

export const CLASS_NAMES = ['cat', 'dog'];

/** One epoch as the simulation computes it: a pure function of run, stage and epoch, as real training is. */
export function metricsOf(
  run: { readonly runId: string },
  stage: Stage,
  epoch: number,
): Readonly<Record<string, number>> {
  const base =
    Number.parseInt(
      createHash('sha256')
        .update(`${run.runId.slice(-4)} ${stage}`)
        .digest('hex')
        .slice(0, 8),
      16,
    ) /
    2 ** 32;
  const loss = 0.2 + base / (epoch + 1);
  return { loss, accuracy: 1 - loss / 2, val_loss: loss + 0.05, val_accuracy: 1 - loss / 2 - 0.01, seconds: 0.5 };
}

/** The metrics of an epoch with that of the task's objective. */
function measured({ stage, objective }: LeasedTask, runId: string, epoch: number): Readonly<Record<string, number>> {
  const metrics = metricsOf({ runId }, stage, epoch);
  return objective.metric in metrics ? metrics : { ...metrics, [objective.metric]: 1 - (metrics['loss'] ?? 0) };
}

/** A gRPC client that leases and reports like a trainer, without TensorFlow. */
export class SimulatedTrainer {
  readonly trainerId: string;
  readonly #calls: TrainerCalls;
  readonly #artifacts: ArtifactStore;
  readonly #version: string;
  /** Result of its INDEX. */
  dataset: SimulatedDataset = simulatedDataset(CLASS_NAMES);
  /** False: a trainer of a version before rungs, which sends no results by image and trains on at a pause. */
  knowsRungs = true;
  /** Stages that it reports; empty: it is of a version that reports none. */
  executes: readonly Stage[] = STAGES;
  /** Part of the images that a probe of this candidate predicts correctly. */
  probedAccuracy: (order: ProbeOrder) => number = () => 0.9;
  /** True: a trainer that saves the last epoch of a task only. */
  savesOnlyAtEnd = false;
  /** Secrets of its leases, by task and lease epoch. */
  readonly #leaseSecrets = new Map<string, string>();

  constructor(calls: TrainerCalls, artifacts: ArtifactStore, trainerId: string, version = '0.1.0') {
    this.#version = version;
    this.#calls = calls;
    this.#artifacts = artifacts;
    this.trainerId = trainerId;
  }

  /** Always the same for the same identity, as if it were kept on disk. */
  get trainerSecret(): string {
    return createHash('sha256').update(`secret of ${this.trainerId}`).digest('base64url');
  }

  /** Fields that a write under a lease carries. */
  proof({ taskId, leaseEpoch }: Pick<LeasedTask, 'taskId' | 'leaseEpoch'>): LeaseProof {
    const leaseSecret = this.#leaseSecrets.get(`${taskId}/${leaseEpoch}`) ?? '';
    return { taskId, leaseEpoch, trainerId: this.trainerId, leaseSecret };
  }

  /**
   * @param store what it says of its machine; nothing, as trainers of an older version, if not given
   * @param recipeVersion unknown, as of an older version, if not given: its results are then not reused
   */
  async register(slotCount: number, store?: StoreReport, recipeVersion = 0): Promise<RegisterTrainerResponse> {
    return this.#calls.registerTrainer({
      store,
      trainer: {
        trainerId: this.trainerId,
        hostname: 'host',
        version: this.#version,
        engineVersion: '2.21.0',
        state: '',
        heartbeatTime: undefined,
        slots: Array.from({ length: slotCount }, (_, slotIndex) => ({
          slotIndex,
          deviceKind: 'cpu',
          deviceName: 'simulated',
          memoryBytes: 0n,
          threadCount: 1,
          taskId: '',
          benchReason: '',
          stage: 0,
        })),
        refusalCount: 0,
        drainReason: '',
      },
      trainerSecret: this.trainerSecret,
      recipeVersion,
      stages: this.executes.map((stage) => stages.toProto(stage)),
    });
  }

  /** @param requestId a new one if not given. */
  async lease(
    slotIndex = 0,
    waitMs = 0,
    requestId = this.newRequestId(),
    heldFeatureKeys: string[] = [],
  ): Promise<LeasedTask | null> {
    const { task, leaseSecret } = await this.#calls.leaseTask({
      requestId,
      trainerId: this.trainerId,
      slotIndex,
      heldFeatureKeys,
      waitDuration: durationToProto(waitMs),
      trainerSecret: this.trainerSecret,
    });
    if (task) this.#leaseSecrets.set(`${task.taskId}/${task.leaseEpoch}`, leaseSecret);
    return task ? leasedTaskFromProto(task) : null;
  }

  /** A lease that must be there. */
  async mustLease(stage: Stage, slotIndex = 0): Promise<LeasedTask> {
    const task = await this.lease(slotIndex, 5_000);
    if (task?.stage !== stage) throw new Error(`expected a ${stage} task, got ${task?.stage ?? 'none'}`);
    return task;
  }

  /** Continues with the leases of another connection of the same trainer. */
  takeOver(other: SimulatedTrainer): void {
    for (const [lease, secret] of other.#leaseSecrets) this.#leaseSecrets.set(lease, secret);
  }

  newRequestId(): string {
    return randomUUID();
  }

  async heartbeat(tasks: readonly LeasedTask[], draining = false): Promise<TaskDirective[]> {
    const { directives } = await this.#calls.heartbeat({
      trainerId: this.trainerId,
      trainerSecret: this.trainerSecret,
      draining,
      tasks: tasks.map((task) => ({
        taskId: task.taskId,
        leaseEpoch: task.leaseEpoch,
        leaseSecret: this.proof(task).leaseSecret,
        stepCount: 1n,
        stepLimit: 9n,
        detail: 'works',
      })),
    });
    return directives;
  }

  /** Sends batches over one stream and gives all answers. */
  async report(batches: readonly ReportMetricsRequest[]): Promise<ReportMetricsResponse[]> {
    const answers: ReportMetricsResponse[] = [];
    const stream = this.#calls.reportMetrics(each(batches), { deadlineMs: 10_000 });
    for await (const answer of stream) answers.push(answer);
    return answers;
  }

  /** The batch of one epoch of all runs of a task. */
  batch(task: LeasedTask, epoch: number, sequence: number): ReportMetricsRequest {
    return {
      ...this.proof(task),
      sequence: BigInt(sequence),
      rungs: this.#rungsOf(task, epoch),
      epochs: task.runs
        .filter(({ stopped }) => !stopped)
        .map((run) => {
          const metrics = measured(task, run.runId, epoch);
          const stage = stages.toProto(task.stage);
          return { runId: run.runId, stage, epoch, names: Object.keys(metrics), values: Object.values(metrics) };
        }),
    };
  }

  async checkpoint(task: LeasedTask, runId: string, epoch: number, kind: CheckpointKind): Promise<CheckpointRef> {
    const uri = checkpointUri({ runId, stage: task.stage, epoch, kind, leaseEpoch: task.leaseEpoch }, 0);
    const stored = await this.#artifacts.write(uri, Buffer.from(`${uri} `.repeat(4000)));
    const value = measured(task, runId, epoch)[task.objective.metric] ?? null;
    const reference = { ...stored, checkpointId: '', runId, stage: task.stage, epoch, kind, value };
    const { checkpoint } = await this.#calls.registerCheckpoint({
      ...this.proof(task),
      checkpoint: checkpointToProto(reference),
    });
    if (!checkpoint) throw new Error('no checkpoint in the answer');
    return checkpointFromProto(checkpoint, 'checkpoint');
  }

  async complete(task: LeasedTask, result: TaskResult): Promise<void> {
    await this.#calls.completeTask({ ...this.proof(task), result: taskEndToProto({ kind: 'result', result }) });
  }

  async fail(task: LeasedTask, error: Partial<TaskError>): Promise<void> {
    const whole: TaskError = { errorClass: 'COUNTED', code: 'BUG', message: 'it broke', datasetProblems: [], ...error };
    await this.#calls.completeTask({ ...this.proof(task), result: taskEndToProto({ kind: 'error', error: whole }) });
  }

  async release(task: LeasedTask, reason: 1 | 2 | 3): Promise<void> {
    await this.#calls.releaseTask({ ...this.proof(task), reason });
  }

  /** Does a task from beginning to end, as a trainer would. */
  async work(task: LeasedTask): Promise<void> {
    if (task.stage === 'INDEX') await this.storeManifest();
    if (task.stage === 'HEAD' || task.stage === 'FINE_TUNE') await this.train(task);
    else await this.complete(task, this.resultOf(task));
  }

  async storeManifest(): Promise<void> {
    await this.#artifacts.write(this.dataset.manifestUri, this.dataset.manifest);
  }

  /** Results by image after a milestone and at the end of a stage, where runs are compared. The last epoch is the best one. */
  #rungsOf(task: LeasedTask, epoch: number): ReportMetricsRequest['rungs'] {
    const imageCount = imagesOf(this.dataset, 'validation').length;
    return task.runs
      .filter(({ stopped }) => !stopped && this.knowsRungs)
      .flatMap((run) => {
        const { val_accuracy: accuracy = 0, val_loss: loss = 0 } = metricsOf(run, task.stage, epoch);
        const report = {
          runId: run.runId,
          stage: stages.toProto(task.stage),
          epoch,
          epochCount: epoch,
          validationCorrect: firstRight(accuracy, imageCount),
          validationLosses: imageCount > MAX_REPORTED_LOSSES ? [] : Array<number>(imageCount).fill(loss),
        };
        return [
          ...(run.milestoneEpochs.includes(epoch) ? [{ ...report, isEnd: false }] : []),
          ...(epoch === epochsOf(task) ? [{ ...report, isEnd: true }] : []),
        ];
      });
  }

  /** Trains from the resume checkpoint on and completes. */
  async train(task: LeasedTask): Promise<void> {
    const pauseEpoch = this.knowsRungs ? (task.runs[0]?.pauseEpoch ?? null) : null;
    const epochs = pauseEpoch ?? epochsOf(task);
    const start = Math.min(...task.runs.map((run) => run.resumeCheckpoint?.epoch ?? 0));
    const step = this.savesOnlyAtEnd ? epochs - start : 1;
    for (let epoch = start + step; epoch <= epochs && step > 0; epoch += step) {
      const batches = Array.from({ length: step }, (_, index) => epoch - step + index + 1);
      const answers = await this.report(batches.map((number) => this.batch(task, number, number - start)));
      const refused = answers.find(({ errorReason }) => errorReason !== '');
      if (refused !== undefined || answers.length !== step)
        throw new Error(`batch refused: ${refused?.errorReason ?? ''}`);
      for (const run of task.runs.filter(({ stopped }) => !stopped)) {
        await this.checkpoint(task, run.runId, epoch, 'BEST');
        await this.checkpoint(task, run.runId, epoch, 'LAST');
      }
    }
    const kind = pauseEpoch === null ? 'SUCCEEDED' : 'PAUSED';
    const outcomes = task.runs.map((run) => outcomeOf(run.runId, epochs, { kind }));
    await this.complete(task, { stage: 'TRAIN', outcomes });
  }

  /** A probe that is right on the first images, so that a better candidate is right wherever a worse one is. */
  measureOf({ probe }: LeasedTask): ProbeMeasurement {
    if (probe === undefined) throw new Error('the task does not say what to probe');
    const imageCount = probe.trainImageCount + probe.validationImageCount;
    const correct = firstRight(this.probedAccuracy(probe), imageCount);
    return { correct, imageCount, logMe: 0.5, penalty: 1, latencySeconds: 0.02, featureCount: 64, seconds: 2 };
  }

  resultOf(task: LeasedTask): TaskResult {
    switch (task.stage) {
      case 'INDEX':
        return indexResultOf(task, this.dataset);
      case 'PROBE':
        return { stage: 'PROBE', ...this.measureOf(task) };
      case 'FEATURES':
        return {
          stage: 'FEATURES',
          seconds: 1.5,
          featureSets: task.featureSets.map((set) => computedSet(set, this.dataset)),
        };
      case 'EVALUATE':
        return {
          stage: 'EVALUATE',
          measurements: task.runs.map((run) => ({
            runId: run.runId,
            checkpointId: run.sourceCheckpoint?.checkpointId ?? '',
            role: run.role ?? 'EVERY_RUN',
            loss: lossOf(imagesOf(this.dataset, 'test').length),
            predictions: imagesOf(this.dataset, 'test').map(predictionOf),
          })),
        };
      default:
        throw new Error(`${task.stage} is trained, not answered at once`);
    }
  }

  /** Leases and works until nothing is ready for `waitMs`; the stages in order. */
  async workAll(waitMs = 300, slotIndex = 0): Promise<Stage[]> {
    const done: Stage[] = [];
    for (;;) {
      const task = await this.lease(slotIndex, waitMs);
      if (!task) return done;
      await this.work(task);
      done.push(task.stage);
    }
  }
}

export function epochsOf(task: LeasedTask): number {
  const name = task.stage === 'HEAD' ? 'epochs' : 'fine_tune.epochs';
  return Number(task.runs[0]?.parameters[name] ?? 0);
}

export function outcomeOf(runId: string, epochCount: number, changes: Partial<RunOutcome> = {}): RunOutcome {
  return { runId, kind: 'SUCCEEDED', error: null, epochCount, peakMemoryBytes: 1000, ...changes };
}

/** Returns the mean cross-entropy of the predictions, two of which are wrong. */
function lossOf(imageCount: number): number {
  return -((imageCount - 2) * Math.log(0.8) + 2 * Math.log(0.2)) / imageCount;
}

function imagesOf({ images }: SimulatedDataset, split: Split): SimulatedImage[] {
  return images.filter((image) => image.split === split);
}

function computedSet(set: FeatureSetRef, dataset: SimulatedDataset): FeatureSetRef {
  const { size, channels } = outputShapeAt(set.backbone, set.imageSize, null);
  const shape = set.pooling === 'none' ? [size, size, channels] : [channels];
  const rowCount = imagesOf(dataset, set.split).length;
  const valueBytes = set.dtype === 'float16' ? 2 : 4;
  const sizeBytes = rowCount * shape.reduce((product, side) => product * side, 1) * valueBytes;
  return { ...set, uri: featureSetUri(set.key), shape, rowCount, sha256: set.key, sizeBytes };
}

/** 20 images, 18 of them right: accuracy 0.9. */
function predictionOf({ path, label }: SimulatedImage, index: number): TestPrediction {
  const predictedLabel = index < 2 ? 1 - label : label;
  const p = predictedLabel === 1 ? 0.8 : 0.2;
  return { path, label, predictedLabel, probabilities: [1 - p, p] };
}

function indexResultOf(task: LeasedTask, dataset: SimulatedDataset): TaskResult {
  return {
    stage: 'INDEX',
    manifestUri: dataset.manifestUri,
    dataset: datasetOf(dataset, task.datasetSource.path),
    weights: task.weightsReferences.map((reference) => ({ ...reference, digest: 'f'.repeat(64) })),
    missingWeights: [],
  };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}
