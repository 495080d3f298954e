import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Weights } from '../../services/trainer/backbones/folded-weights.ts';
import { loadBackboneParts } from '../../services/trainer/backbones/load.ts';
import { refusalOf } from '../support/refused-weights.ts';
import { formulaWeight } from './formula.ts';
import { kerasVenv, runPython, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';

const SMALL = 'mobilenet_0.25';
const TENSORS = 135;

describe('weight files as Keras and h5py write them, and as they get damaged', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-damage-'));
  let venv: KerasVenv;

  beforeAll(async () => {
    venv = await kerasVenv();
    if ('python' in venv) await runPython(venv.python, 'weight-damage.py', [folder]);
  }, 600_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  async function read(file: string): Promise<Weights> {
    const options = { backbone: SMALL, weights: join(folder, file), inputSize: 75, cacheDir: folder };
    return (await loadBackboneParts(options)).weights;
  }

  /** Returns the largest deviation from the formula, in units of the value or of the smallest step of the format. */
  function deviation(weights: Weights, smallestStep: number): number {
    let most = 0;
    for (const [name, { shape, values }] of weights) {
      const exact = formulaWeight(name, shape);
      for (const [index, value] of values.entries()) {
        const wanted = exact[index] ?? NaN;
        most = Math.max(most, Math.abs(value - wanted) / Math.max(Math.abs(wanted), smallestStep));
      }
    }
    return most;
  }

  it.for([
    'plain.h5',
    'gzip.h5',
    'big-endian.h5',
    'float64.h5',
    ...['nested', 'two-deep', 'three-deep', 'sequential', 'timed'].flatMap((name) => [
      `${name}.h5`,
      `${name}.weights.h5`,
      `${name}.keras`,
    ]),
    'frozen.h5',
  ])('reads %s bit for bit', async (file, context) => {
    skipWithoutKeras(context, venv);
    const weights = await read(file);
    expect(weights.size).toBe(TENSORS);
    expect(deviation(weights, 1e-30)).toBe(0);
  });

  it.for<[file: string, precision: number, smallestStep: number]>([
    ['float16.h5', 2 ** -11, 2 ** -14],
    ['bfloat16.weights.h5', 2 ** -8, 2 ** -126],
    ['bfloat16-type.weights.h5', 2 ** -8, 2 ** -126],
  ])('widens %s to float32', async ([file, precision, smallestStep], context) => {
    skipWithoutKeras(context, venv);
    const weights = await read(file);
    expect(weights.size).toBe(TENSORS);
    const error = deviation(weights, smallestStep);
    expect(error).toBeGreaterThan(precision / 8);
    expect(error).toBeLessThanOrEqual(precision);
  });

  const at = String.raw`layer conv1 can't be used: kernel at /model_weights/conv1/conv1/kernel `;
  it.for<[file: string, message: string]>([
    ['lzf.h5', `${at}is packed by the filter lzf (32000), which can't be read here`],
    ['szip.h5', `${at}is packed by the filter szip (4)`],
    ['bzip2.h5', `${at}is packed by the filter bzip2 (307)`],
    ['blosc.h5', `${at}is packed by the filter blosc (32001)`],
    ['zstd.h5', `${at}is packed by the filter zstd (32015)`],
    ['unregistered.h5', `${at}is packed by the filter unknown (40000)`],
    ['flipped.h5', `${at}can't be read: its data are damaged`],
    ['integers.h5', `${at}holds integers of 8 bits; float16, bfloat16, float32 and float64 are read`],
    ['opaque.h5', `${at}holds values of type opaque, 2 bytes`],
    ['too-large.h5', `${at}has 216 of 216 values that are not finite, the first Infinity`],
    ['unwritten.h5', `${at}holds nothing but zeros`],
    ['unwritten-packed.h5', 'it declares 874176 bytes of uncompressed weights, but the file has'],
    ['virtual.h5', `${at}is a view of data elsewhere (elsewhere.h5)`],
    ['raw.h5', `${at}can't be read`],
    ['huge.h5', 'has shape [1073741824, 3, 3, 3, 8]'],
    ['chunk.h5', `${at}is stored in chunks of 1073741824 bytes`],
    ['column-major.h5', 'has shape [8, 3, 3, 3], the same in reverse'],
    ['twins.h5', 'more than once, at /model_weights/mobilenet_0.25_75 and /model_weights/other'],
    ['twins.keras', 'more than once, at /layers/functional/layers and /layers/functional_1/layers'],
  ])('refuses %s once, with file and layer', async ([file, wanted], context) => {
    skipWithoutKeras(context, venv);
    expect(await refusalOf(read(file), join(folder, file))).toContain(wanted);
  });
});
