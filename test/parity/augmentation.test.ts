import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AugmentationConfig } from '../../services/core/run-config.ts';
import { applyDraws } from '../../services/trainer/augmentation/augment.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import { largestDifference } from './compare.ts';
import type { RecordedValues } from './compare.ts';
import { formulaImages } from './formula.ts';
import { kerasVenv, runPython } from './keras-venv.ts';

interface Case extends RecordedValues {
  readonly flip: AugmentationConfig['flip'];
  readonly rotation: number;
  readonly zoom: number;
  readonly fillMode: AugmentationConfig['fillMode'];
}

interface Recording {
  readonly keras: string;
  readonly shape: [number, number, number, number];
  /** Uniform numbers; at most 0.5 flips. */
  readonly flips: readonly number[];
  readonly angles: readonly number[];
  readonly zooms: readonly number[];
  readonly cases: readonly Case[];
}

/** Of 255. */
const TOLERANCE = 1e-3;

/** Made by augmentation.py; holds some values of each result. */
const committed = JSON.parse(readFileSync(new URL('augmentation.json', import.meta.url), 'utf8')) as Recording;

const TITLE = 'flip $flip, rotation $rotation, zoom $zoom, fill $fillMode';

describe(`augmentation against recorded values of Keras ${committed.keras}`, () => {
  it.each(committed.cases)(TITLE, (wanted) => {
    expect(largestDifference(augment(committed, wanted), wanted, null)).toBeLessThan(TOLERANCE);
  });
});

describe('augmentation against Keras on this machine, every pixel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  let live: Recording | null = null;

  beforeAll(async () => {
    const venv = await kerasVenv();
    if ('reason' in venv) console.log(`No Keras here: ${venv.reason}`);
    else live = JSON.parse(await runPython(venv.python, 'augmentation.py', [folder])) as Recording;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(committed.cases.map((wanted, index) => ({ ...wanted, index })))(TITLE, ({ index }, context) => {
    context.skip(live === null, 'Keras is not installed');
    const wanted = live?.cases[index];
    if (live === null || wanted === undefined) throw new Error(`augmentation.py made no case ${index}`);
    expect(largestDifference(augment(live, wanted), wanted, folder)).toBeLessThan(TOLERANCE);
  });
});

function augment(recording: Recording, config: Case): Float32Array {
  const before = tf.memory().numTensors;
  const images = tf.tensor4d(formulaImages('augment', recording.shape), recording.shape);
  const draws = recording.flips.map((flip, index) => ({
    flip: Math.fround(flip) <= 0.5,
    angle: recording.angles[index] ?? NaN,
    zoom: recording.zooms[index] ?? NaN,
  }));
  const result = applyDraws(images, { ...config, seed: 0 }, draws);
  const values = result.dataSync<'float32'>();
  tf.dispose([images, result]);
  expect(tf.memory().numTensors).toBe(before);
  return values;
}
