import { availableParallelism } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import { shuffleStream } from '../../../services/core/rng/stream.ts';
import { tf } from '../../../services/trainer/engine/engine.ts';
import type { Tensor } from '../../../services/trainer/engine/engine.ts';
import { unmixed } from '../../../services/trainer/heads/batch-labels.ts';
import { Loss } from '../../../services/trainer/heads/loss.ts';
import { NativeHead } from '../../../services/trainer/heads/native-head.ts';
import { NativeLearner, trainTogether } from '../../../services/trainer/training/learner.ts';
import { Member } from '../../../services/trainer/training/member.ts';
import type { InputSpec } from '../../../services/trainer/training/network.ts';
import type { Batch } from '../../../services/trainer/training/split-reader.ts';
import { PythonLines } from '../../support/python-lines.ts';

export const BATCH = 32;
export const UNITS = 256;
const HEADS = 16;
const IMAGES = 2048;
const INPUT: InputSpec = { layer: null, pooling: 'none' };

/** A case to measure. */
export interface HeadsCase {
  readonly title: string;
  readonly inputs: number;
  /** Number of epochs of one measurement. */
  readonly epochs: number;
  readonly heads: number;
  readonly kind: 'fit' | 'step';
  readonly stepsPerExecution: number;
  /** Minimum ratio of Keras' time to Graft's. */
  readonly target: number;
}

const SIZES = [
  { inputs: 512, epochs: 5, targets: [3, 2] },
  { inputs: 1280, epochs: 5, targets: [3, 2] },
  { inputs: 12800, epochs: 1, targets: [1.6, 1.6] },
] as const;

export const HEADS_CASES: readonly HeadsCase[] = SIZES.flatMap(({ inputs, epochs, targets: [plain, packed] }) => {
  const many = `${HEADS} heads ${inputs} → ${UNITS} → 1`;
  return [
    { title: `${many}, fit`, inputs, epochs, heads: HEADS, kind: 'fit', stepsPerExecution: 1, target: plain },
    {
      title: `${many}, fit, steps_per_execution 16`,
      ...{ inputs, epochs, heads: HEADS, kind: 'fit', stepsPerExecution: 16, target: packed },
    },
    {
      title: `1 head ${inputs} → ${UNITS} → 1, train_step`,
      ...{ inputs, epochs, heads: 1, kind: 'step', stepsPerExecution: 1, target: 1 },
    },
  ] as const;
});

/** A group in training as in the trainer, on features in TensorFlow's memory. */
class GraftGroup {
  readonly #members: readonly Member[];
  readonly #features: Tensor;
  readonly #epochs: number;
  #epoch = 0;

  constructor({ inputs, epochs, heads }: HeadsCase) {
    this.#epochs = epochs;
    this.#features = tf.randomUniform([IMAGES, inputs], 0, 1, 'float32', 1);
    this.#members = Array.from({ length: heads }, (_, index) => {
      // Every number of a head differs from those of the others.
      const learningRate = 1e-3 * (1 + index / 16);
      const config = compileRunConfig({ backbone: 'vgg16', seed: index, 'optimizer.learning_rate': learningRate });
      const { optimizer, schedule } = config;
      const head = new NativeHead({ ...config.head, units: UNITS }, optimizer, inputs, 2, index);
      return new Member({
        runId: String(index),
        config,
        phase: { stage: 'HEAD', epochs: 1e6, optimizer, schedule, earlyStopping: null },
        learner: new NativeLearner(INPUT, head),
        loss: new Loss(2, 0, null),
        objective: { metric: 'val_loss', goal: 'minimize' },
        classMetrics: [],
        milestoneEpochs: [],
        pauseEpoch: null,
        baseDigest: '',
        stepsPerEpoch: IMAGES / BATCH,
      });
    });
    this.#trainEpoch();
  }

  /**
   * Returns milliseconds per step over some epochs, with shuffling, gathering, losses, accuracies and copies of the
   * best weights.
   */
  run(): number {
    const start = performance.now();
    for (let epoch = 0; epoch < this.#epochs; epoch++) this.#trainEpoch();
    return (performance.now() - start) / ((this.#epochs * IMAGES) / BATCH);
  }

  dispose(): void {
    for (const member of this.#members) member.dispose();
    this.#features.dispose();
  }

  #trainEpoch(): void {
    const order = shuffleStream(1, ++this.#epoch).permutation(IMAGES);
    for (let first = 0; first < IMAGES; first += BATCH) this.#step(order.subarray(first, first + BATCH));
    const sums = { imageCount: 1, lossSum: 1, correctCount: 1 };
    for (const member of this.#members) member.finishEpoch({ sums, classMetrics: {}, images: null });
  }

  #step(indices: Uint32Array): void {
    const rows = tf.tidy(() => tf.gather(this.#features, tf.tensor1d(Int32Array.from(indices), 'int32')));
    const labels = Array.from(indices, (index) => index % 2);
    const batch: Batch = { ...unmixed(labels), input: () => rows, dispose: () => rows.dispose() };
    const outputs = trainTogether(
      this.#members.map((member) => member.nextStep()),
      batch,
    );
    for (const member of this.#members) {
      const output = outputs.get(member.learner);
      if (output !== undefined) member.finishStep(output, batch);
    }
    batch.dispose();
  }
}

/** Milliseconds per training step of all heads. */
export interface HeadsMeasurement {
  readonly keras: number;
  readonly graft: number;
}

/** Alternates Keras, which trains one head after the other, and Graft, which trains all of them together. */
export class HeadsBench implements Disposable {
  readonly #keras: PythonLines;
  /** Keras' version and the threads of both sides. */
  readonly peer: string;

  private constructor(keras: PythonLines, peer: string) {
    this.#keras = keras;
    this.peer = peer;
  }

  /** @param python interpreter of the environment with Keras. */
  static async start(python: string): Promise<HeadsBench> {
    const threads = Number(process.env['GRAFT_SLOT_THREADS'] ?? availableParallelism());
    const keras = new PythonLines(python, fileURLToPath(new URL('heads.py', import.meta.url)), {
      TF_CPP_MIN_LOG_LEVEL: '3',
      CUDA_VISIBLE_DEVICES: '',
      KERAS_BACKEND: 'tensorflow',
      GRAFT_BENCH_THREADS: String(threads),
    });
    const { ready } = (await keras.ready()) as { ready: string };
    return new HeadsBench(keras, `Keras ${ready}, ${threads} threads`);
  }

  async measure(heads: HeadsCase, rounds: number): Promise<HeadsMeasurement> {
    const { inputs, epochs, kind, stepsPerExecution } = heads;
    const job = { kind, inputs, units: UNITS, batch: BATCH, images: IMAGES, epochs, stepsPerExecution };
    const askKeras = async (): Promise<number> =>
      ((await this.#keras.ask(job)) as { milliseconds: number }).milliseconds;
    await askKeras();
    const group = new GraftGroup(heads);
    const times = { keras: [] as number[], graft: [] as number[] };
    try {
      for (let round = 0; round < rounds; round++) {
        // A-B-B-A: drift affects both sides equally.
        times.keras.push(await askKeras());
        times.graft.push(group.run(), group.run());
        times.keras.push(await askKeras());
      }
    } finally {
      group.dispose();
    }
    return { keras: heads.heads * median(times.keras), graft: median(times.graft) };
  }

  [Symbol.dispose](): void {
    this.#keras.end();
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
