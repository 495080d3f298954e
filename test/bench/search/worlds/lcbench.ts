import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStream } from '../../../../services/core/rng/stream.ts';
import type { StageCurve, World } from '../world.ts';

const FOLDER = new URL('../../../../../shared/data/search/', import.meta.url).pathname;

/** Learning curves of 400 random configurations on each of 24 tasks, from the LCBench surrogate of YAHPO Gym. */
export interface LcBench {
  readonly tasks: readonly string[];
  readonly epochs: number;
  /**
   * Returns some configurations of a task, drawn and ordered by `seed`.
   *
   * @param task position in `tasks`.
   */
  world(task: number, count: number, seed: number): World;
}

/** Reads the recorded curves; a reason where this machine has none. */
export function readLcBench(
  folder = process.env['GRAFT_SEARCH_DATA'] ?? FOLDER,
): LcBench | { readonly reason: string } {
  const index = join(folder, 'lcbench.json');
  if (!existsSync(index)) {
    return { reason: `The LCBench curves are not in ${folder}; GRAFT_SEARCH_DATA names another folder.` };
  }
  const { tasks, configurations, epochs } = JSON.parse(readFileSync(index, 'utf8')) as {
    tasks: readonly string[];
    configurations: number;
    epochs: number;
  };
  const accuracies = float16(readFileSync(join(folder, 'lcbench-val-accuracy.f16')));
  const seconds = float32(readFileSync(join(folder, 'lcbench-seconds.f32')));
  const curve = (task: number, configuration: number): StageCurve => {
    const from = (task * configurations + configuration) * epochs;
    const values = accuracies.subarray(from, from + epochs).map((percent) => percent / 100);
    return curveOf(values, seconds.subarray(from, from + epochs));
  };
  return {
    tasks,
    epochs,
    world: (task, count, seed) => {
      const drawn = createStream(seed, 'lcbench', task).permutation(configurations).subarray(0, count);
      const runs = Array.from(drawn, (configuration, index) => {
        const fineTune = curve(task, configuration);
        return { index, headEpochs: 0, augmented: false, fineTuneEpochs: epochs, head: null, fineTune };
      });
      const name = `LCBench task ${tasks[task] ?? ''}, seed ${seed}`;
      return { name, objective: { metric: 'val_accuracy', goal: 'maximize' }, runs, shared: [], taskSeconds: 0 };
    },
  };
}

/**
 * Returns the curve of accuracies and seconds of the surrogate. Its seconds fall here and there by less than its error; an epoch never ends
 * before the one ahead of it.
 */
export function curveOf(values: ArrayLike<number>, seconds: ArrayLike<number>): StageCurve {
  let last = 0;
  const rising = Float64Array.from(seconds, (value) => (last = Math.max(last, value)));
  return { values, truths: values, seconds: rising, evidenceAt: null };
}

function float32(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

function float16(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: bytes.length / 2 }, (_, index) => fromHalf(bytes.readUInt16LE(2 * index)));
}

/** Decodes an IEEE 754 binary16 number. */
function fromHalf(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
