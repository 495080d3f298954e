import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { compileRunConfig } from '../../services/core/search-space/compile.ts';
import { shuffleStream } from '../../services/core/rng/stream.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import type { Tensor } from '../../services/trainer/engine/engine.ts';
import { Loss } from '../../services/trainer/heads/loss.ts';
import { NativeHead } from '../../services/trainer/heads/native-head.ts';
import { native } from '../../services/trainer/heads/native-module.ts';
import { NativeLearner, trainTogether } from '../../services/trainer/training/learner.ts';
import { Member } from '../../services/trainer/training/member.ts';
import type { InputSpec } from '../../services/trainer/training/network.ts';
import type { Batch } from '../../services/trainer/training/split-reader.ts';
import { kerasVenv } from '../parity/keras-venv.ts';
import { KerasProcess } from './keras-process.ts';

const HELP = `Milliseconds of a training step: Keras one head after the other, Graft all of them together, in turns.

  npm run bench:heads [-- --rounds 3 --only TEXT]

--only takes the rows whose title holds the text, such as 12800. The exit code is 1 when a target is missed.
`;

const BATCH = 32;
const UNITS = 256;
const HEADS = 16;
const IMAGES = 2048;
const INPUT: InputSpec = { layer: null, pooling: 'none' };

interface Row {
  readonly title: string;
  readonly inputs: number;
  /** Of one measurement. */
  readonly epochs: number;
  readonly heads: number;
  readonly kind: 'fit' | 'step';
  readonly stepsPerExecution: number;
  /** Least ratio of Keras' time to Graft's. */
  readonly target: number;
}

const SIZES = [
  { inputs: 512, epochs: 5, targets: [3, 2] },
  { inputs: 1280, epochs: 5, targets: [3, 2] },
  { inputs: 12800, epochs: 1, targets: [1.6, 1.6] },
] as const;

const ROWS: readonly Row[] = SIZES.flatMap(({ inputs, epochs, targets: [plain, packed] }) => {
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

/** A group in training as the trainer has it, on features in TensorFlow's memory. */
class GraftGroup {
  readonly #members: readonly Member[];
  readonly #features: Tensor;
  readonly #epochs: number;
  #epoch = 0;

  constructor({ inputs, epochs, heads }: Row) {
    this.#epochs = epochs;
    this.#features = tf.randomUniform([IMAGES, inputs], 0, 1, 'float32', 1);
    this.#members = Array.from({ length: heads }, (_, index) => {
      // Not one number of one head is another's.
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
        baseDigest: '',
        stepsPerEpoch: IMAGES / BATCH,
      });
    });
    this.#trainEpoch();
  }

  /** Milliseconds per step of some epochs, with shuffling, gathering, losses, accuracies and copies of the best weights. */
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
    for (const member of this.#members) member.finishEpoch({ imageCount: 1, lossSum: 1, correctCount: 1 });
  }

  #step(indices: Uint32Array): void {
    const rows = tf.tidy(() => tf.gather(this.#features, tf.tensor1d(Int32Array.from(indices), 'int32')));
    const labels = Array.from(indices, (index) => index % 2);
    const batch: Batch = { labels, input: () => rows, dispose: () => rows.dispose() };
    const outputs = trainTogether(
      this.#members.map((member) => member.nextStep()),
      batch,
    );
    for (const member of this.#members) {
      const output = outputs.get(member.learner);
      if (output !== undefined) member.finishStep(output, labels);
    }
    batch.dispose();
  }
}

interface Measured {
  readonly row: Row;
  /** Of one step of all heads. */
  readonly keras: number;
  readonly graft: number;
}

async function measure(keras: KerasProcess, row: Row, rounds: number): Promise<Measured> {
  const { inputs, epochs, heads, kind, stepsPerExecution } = row;
  const job = { kind, inputs, units: UNITS, batch: BATCH, images: IMAGES, epochs, stepsPerExecution };
  const askKeras = async (): Promise<number> => ((await keras.ask(job)) as { milliseconds: number }).milliseconds;
  await askKeras();
  const group = new GraftGroup(row);
  const times = { keras: [] as number[], graft: [] as number[] };
  try {
    for (let round = 0; round < rounds; round++) {
      // A-B-B-A: whatever drifts hits both.
      times.keras.push(await askKeras());
      times.graft.push(group.run(), group.run());
      times.keras.push(await askKeras());
    }
  } finally {
    group.dispose();
  }
  return { row, keras: heads * median(times.keras), graft: median(times.graft) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** Multiply-adds count two; weights and RMSprop's averages are read and written, and the weights read once more. */
function rates({ row: { inputs, heads }, graft }: Measured): string {
  const weights = heads * (inputs + 1) * UNITS;
  const gigaflops = (weights * BATCH * 4) / graft / 1e6;
  const gigabytes = (weights * 5 * 4) / graft / 1e6;
  return `${gigaflops.toFixed(0).padStart(9)}${gigabytes.toFixed(1).padStart(7)}`;
}

function render(measured: Measured): string {
  const { row, keras, graft } = measured;
  const ratio = keras / graft;
  return (
    row.title.padEnd(52) +
    keras.toFixed(2).padStart(9) +
    graft.toFixed(2).padStart(9) +
    `${ratio.toFixed(2)}×`.padStart(9) +
    `≥ ${row.target}×`.padStart(9) +
    `  ${ratio >= row.target ? 'met   ' : 'MISSED'}` +
    rates(measured)
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const venv = await kerasVenv();
  if ('reason' in venv) {
    process.stderr.write(`Keras can't be installed here, so there is nothing to compare with: ${venv.reason}\n`);
    return 1;
  }
  const threads = Number(process.env['GRAFT_SLOT_THREADS'] ?? availableParallelism());
  const keras = new KerasProcess(venv.python, 'heads.py', { GRAFT_BENCH_THREADS: String(threads) });
  try {
    const { ready } = (await keras.ready()) as { ready: string };
    process.stdout.write(
      `Milliseconds per step of all heads, batch ${BATCH}, ${threads} threads; Keras ${ready} one by one, Graft fused ` +
        `(${native.instructionSet()}).\n\n${'row'.padEnd(52)}    Keras    Graft    ratio   target          GFLOP/s   GB/s\n`,
    );
    let missed = 0;
    for (const row of ROWS.filter(({ title }) => title.includes(values.only))) {
      const measured = await measure(keras, row, Number(values.rounds));
      process.stdout.write(`${render(measured)}\n`);
      if (measured.keras / measured.graft < row.target) missed += 1;
    }
    return missed === 0 ? 0 : 1;
  } finally {
    keras.end();
  }
}

process.exitCode = await main();
