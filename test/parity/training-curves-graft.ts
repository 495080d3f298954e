import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileRunConfig } from '../../services/core/search-space/compile.ts';
import { backboneGraph } from '../../services/core/network/backbone-graph.ts';
import { resolveUnfreeze } from '../../services/core/network/resolve-unfreeze.ts';
import type { ManifestImage, Split } from '../../services/core/dataset.ts';
import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';
import type { CheckpointRef, FeatureSetRef } from '../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../services/platform/artifacts/directory-artifact-store.ts';
import { encodeSafetensors, readSafetensorsHeader } from '../../services/trainer/checkpoints/safetensors.ts';
import type { TrainingState } from '../../services/trainer/checkpoints/training-checkpoint.ts';
import { epochBatches } from '../../services/trainer/data/batches.ts';
import { decodeManifest } from '../../services/trainer/data/manifest.ts';
import { Head } from '../../services/trainer/heads/head.ts';
import { InProcessWorker } from '../integration/worker/in-process-worker.ts';
import { SweepOnWorker, curve, lastCheckpoint, taskRun } from '../integration/worker/sweep-on-worker.ts';
import type { EpochMeasurement, KerasJob, Measurement, TestCount } from './training-curves-keras.ts';

type TrainStage = 'HEAD' | 'FINE_TUNE';

export interface GraftCurve {
  /** Losses of the steps; empty unless requested. */
  readonly steps: readonly Measurement[];
  readonly epochs: readonly EpochMeasurement[];
  readonly best: CheckpointRef;
}

export interface GraftTrainingOptions {
  /** Folder for generated files. */
  readonly folder: string;
  /** Folder of the images, in `<split>/<class>/`. */
  readonly root: string;
  readonly backbone: string;
  readonly weights: string;
  readonly cacheDir?: string;
}

const CLASS_COUNT = 2;

/** Trains with a trainer's own stages, one task after the other as the coordinator would lease them. */
export class GraftTraining {
  readonly artifacts: DirectoryArtifactStore;
  readonly images: readonly ManifestImage[];
  readonly #options: GraftTrainingOptions;
  readonly #sweep: SweepOnWorker;
  readonly #sets = new Map<string, FeatureSetRef>();
  #runCount = 0;

  private constructor(options: GraftTrainingOptions, sweep: SweepOnWorker, images: readonly ManifestImage[]) {
    this.artifacts = new DirectoryArtifactStore(join(options.folder, 'artifacts'));
    this.images = images;
    this.#options = options;
    this.#sweep = sweep;
  }

  static async open(options: GraftTrainingOptions): Promise<GraftTraining> {
    const sweep = new SweepOnWorker(options.root, options.backbone, options.weights);
    const artifacts = new DirectoryArtifactStore(join(options.folder, 'artifacts'));
    const cacheDir = options.cacheDir ?? join(options.folder, 'cache');
    const { manifestUri } = await sweep.index(new InProcessWorker({ artifacts, cacheDir, checkpointSeconds: 1000 }));
    const { images } = decodeManifest(manifestUri, await artifacts.read(manifestUri));
    return new GraftTraining(options, sweep, images);
  }

  /**
   * @param source checkpoint with the trained head that fine-tuning starts from.
   * @param everyStep true to measure each step's loss as well.
   */
  async train(
    stage: TrainStage,
    parameters: Parameters,
    { source = null, everyStep }: { readonly source?: CheckpointRef | null; readonly everyStep: boolean },
  ): Promise<GraftCurve> {
    const worker = this.#worker(everyStep ? 0 : 1000);
    const featureSets = await this.#features(worker, parameters, stage);
    const steps = everyStep ? new StepCollector(this.artifacts) : null;
    worker.onEvent = (event, send) => {
      if (steps === null || event.type !== 'checkpoint' || event.checkpoint.kind !== 'LAST') return;
      steps.add(event.checkpoint);
      send({ type: 'control', taskId: event.taskId, action: 'checkpoint' });
    };
    // It is part of the checkpoints' names.
    const runId = `r${++this.#runCount}`;
    const run = taskRun(runId, parameters, { sourceCheckpoint: source });
    const { outcomes } = await worker.complete(this.#sweep.task(stage, { runs: [run], featureSets }), 'TRAIN');
    const [outcome] = outcomes;
    if (outcome?.kind !== 'SUCCEEDED') throw new Error(`Graft did not train: ${JSON.stringify(outcome)}`);
    const epochs = curve(worker.events, runId, stage).map(({ values }) => values as unknown as EpochMeasurement);
    const trainCount = this.images.filter(({ split }) => split === 'train').length;
    const stepsPerEpoch = Math.ceil(trainCount / compileRunConfig(parameters).batchSize);
    return {
      steps: steps === null ? [] : await steps.measurements(epochs, trainCount, stepsPerEpoch),
      epochs,
      best: lastCheckpoint(worker.events, runId, 'BEST', stage),
    };
  }

  /** Evaluates a checkpoint on the test split. */
  async test(parameters: Parameters, checkpoint: CheckpointRef): Promise<TestCount> {
    const run = taskRun(checkpoint.runId, parameters, { sourceCheckpoint: checkpoint });
    const worker = this.#worker(1000);
    const { measurements } = await worker.complete(this.#sweep.task('EVALUATE', { runs: [run] }), 'EVALUATE');
    const predictions = measurements[0]?.predictions ?? [];
    const correct = predictions.filter(({ label, predictedLabel }) => label === predictedLabel).length;
    return { correct, count: predictions.length };
  }

  /** Writes the initial head of a run, and returns the path. */
  async writeInitialHead(parameters: Parameters): Promise<string> {
    const config = compileRunConfig(parameters);
    const [set] = await this.#features(this.#worker(1000), parameters, 'HEAD');
    const featureCount = (set?.shape ?? []).reduce((product, length) => product * length, 1);
    const head = new Head(config.head, featureCount, CLASS_COUNT, config.seed);
    const tensors = head.variables.map((variable) => ({
      name: variable.name,
      shape: variable.shape,
      values: variable.values(),
    }));
    head.dispose();
    const path = join(this.#options.folder, `head-${config.head.pooling}-${config.seed}.safetensors`);
    writeFileSync(path, Buffer.concat(encodeSafetensors(tensors, {})));
    return path;
  }

  /** Returns the lowest layer that fine-tuning trains. */
  trainableFrom(parameters: Parameters): string {
    const { backbone, fineTune } = compileRunConfig(parameters);
    return resolveUnfreeze(backboneGraph(backbone.name, 224).infos, backbone.cut, fineTune?.unfreeze ?? '')
      .trainableFrom;
  }

  /** Returns the order in which a run reads the training images, by epoch and step. */
  batches(parameters: Parameters, epochCount: number): readonly (readonly (readonly number[])[])[] {
    const { dataSeed, batchSize } = compileRunConfig(parameters);
    const count = this.images.filter(({ split }) => split === 'train').length;
    return Array.from({ length: epochCount }, (_, index) =>
      epochBatches({ count, batchSize, order: { dataSeed, epoch: index + 1 } }).map((batch) => [...batch]),
    );
  }

  /** Returns the data, base and head of a Keras job. */
  jobBase(parameters: Parameters, weightsPath: string): Omit<KerasJob, 'phases' | 'isQuick'> {
    const { imageSize, head } = compileRunConfig(parameters);
    const imagesOf = (split: Split): KerasJob['splits'][Split] => {
      const images = this.images.filter((image) => image.split === split);
      return { paths: images.map(({ path }) => path), labels: images.map(({ label }) => label) };
    };
    return {
      backbone: this.#options.backbone,
      weights: weightsPath,
      size: imageSize,
      root: this.#options.root,
      splits: { train: imagesOf('train'), validation: imagesOf('validation'), test: imagesOf('test') },
      head,
      seed: 1,
    };
  }

  #worker(checkpointSeconds: number): InProcessWorker {
    const cacheDir = this.#options.cacheDir ?? join(this.#options.folder, 'cache');
    return new InProcessWorker({ artifacts: this.artifacts, cacheDir, checkpointSeconds });
  }

  async #features(worker: InProcessWorker, parameters: Parameters, stage: TrainStage): Promise<FeatureSetRef[]> {
    const wanted = this.#sweep.featureSets(parameters, stage);
    const missing = wanted.filter(({ key }) => !this.#sets.has(key));
    if (missing.length > 0) {
      for (const set of await this.#sweep.computeFeatures(worker, missing)) this.#sets.set(set.key, set);
    }
    return wanted.flatMap(({ key }) => this.#sets.get(key) ?? []);
  }
}

/**
 * Derives steps from saves. A trainer reports epochs, not steps. But it saves whenever requested, even inside an epoch,
 * and each save has the sums of the epoch so far: their differences are the steps.
 */
class StepCollector {
  readonly #artifacts: DirectoryArtifactStore;
  readonly #states: Promise<TrainingState>[] = [];

  constructor(artifacts: DirectoryArtifactStore) {
    this.#artifacts = artifacts;
  }

  add({ uri }: CheckpointRef): void {
    this.#states.push(this.#read(this.#artifacts.localPath(uri)));
  }

  async measurements(
    epochs: readonly EpochMeasurement[],
    imageCount: number,
    stepsPerEpoch: number,
  ): Promise<readonly Measurement[]> {
    const states = await Promise.all(this.#states);
    return epochs.flatMap(({ loss, accuracy }, epoch) => {
      const inside = states.filter((state) => state.epoch === epoch && state.stepInEpoch > 0).map(({ sums }) => sums);
      if (inside.length !== stepsPerEpoch - 1) throw new Error(`Epoch ${epoch + 1} was saved ${inside.length} times.`);
      const end = { imageCount, lossSum: loss * imageCount, correctCount: Math.round(accuracy * imageCount) };
      return [...inside, end].map((sums, step) => {
        const before = inside[step - 1] ?? { imageCount: 0, lossSum: 0, correctCount: 0 };
        const count = sums.imageCount - before.imageCount;
        return {
          loss: (sums.lossSum - before.lossSum) / count,
          accuracy: (sums.correctCount - before.correctCount) / count,
        };
      });
    });
  }

  /** Twenty saves of an unfrozen block take a gigabyte, so none is kept. */
  async #read(path: string): Promise<TrainingState> {
    const { metadata } = await readSafetensorsHeader(path);
    rmSync(path);
    return JSON.parse(metadata['state'] ?? '') as TrainingState;
  }
}
