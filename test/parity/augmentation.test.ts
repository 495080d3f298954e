import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AugmentationConfig } from '../../services/core/run-config.ts';
import { applyDraws, drawAugmentation } from '../../services/trainer/augmentation/augment.ts';
import type { AugmentationDraw } from '../../services/trainer/augmentation/augment.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import { largestDifference } from './compare.ts';
import type { RecordedValues } from './compare.ts';
import { formulaImages } from './formula.ts';
import { kerasVenv, runPython, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';

type Case = RecordedValues & Omit<AugmentationConfig, 'seed'>;
type Factor = 'rotation' | 'zoom' | 'zoomWidth' | 'translationHeight' | 'translationWidth' | 'contrast' | 'brightness';

interface Recording {
  readonly keras: string;
  readonly shape: [number, number, number, number];
  /** Uniform numbers; at most 0.5 flips. */
  readonly flips: readonly number[];
  readonly draws: Readonly<Record<keyof Omit<AugmentationDraw, 'flip'>, readonly number[]>>;
  /** What Keras draws from for the factors 0.1, 0.2, 0.3, 0.3, 0.2, 0.4 and 0.25, around 0 or 1. */
  readonly ranges: Readonly<Record<Factor, readonly [number, number]>>;
  readonly cases: readonly Case[];
}

/** Of 255. */
const TOLERANCE = 1e-3;

/** Made by augmentation.py; holds some values of each result. */
const committed = JSON.parse(readFileSync(new URL('augmentation.json', import.meta.url), 'utf8')) as Recording;

const TITLE =
  'flip $flip, rotation $rotation, zoom $zoom × $zoomWidth, translation $translationHeight × $translationWidth, ' +
  'contrast $contrast, brightness $brightness, $fillMode $fillValue, $interpolation';

describe(`augmentation against recorded values of Keras ${committed.keras}`, () => {
  it.each(committed.cases)(TITLE, (wanted) => {
    expect(recordedError(committed, wanted, null)).toBeLessThan(TOLERANCE);
  });
});

describe(`what is drawn from, against Keras ${committed.keras}`, () => {
  const factors = Object.fromEntries(Object.entries(committed.ranges).map(([name, [, high]]) => [name, high]));
  const config = { ...committed.cases[0], ...factors, seed: 1 } as AugmentationConfig;
  const draws = Array.from({ length: 4000 }, (_, index) => drawAugmentation(config, 1, index));

  it.each([
    ['rotation', (draw: AugmentationDraw) => draw.angle / 360],
    ['zoom', (draw: AugmentationDraw) => draw.zoom - 1],
    ['zoomWidth', (draw: AugmentationDraw) => draw.widthZoom - 1],
    ['translationHeight', (draw: AugmentationDraw) => draw.downward],
    ['translationWidth', (draw: AugmentationDraw) => draw.rightward],
    ['contrast', (draw: AugmentationDraw) => draw.contrast - 1],
    ['brightness', (draw: AugmentationDraw) => draw.brightness],
  ] as const)('%s', (name, valueOf) => {
    const values = draws.map(valueOf);
    const [low, high] = committed.ranges[name];
    const slack = 0.005 * (high - low);
    expect(Math.abs(Math.min(...values) - low)).toBeLessThan(slack);
    expect(Math.abs(Math.max(...values) - high)).toBeLessThan(slack);
  });
});

describe('augmentation against Keras on this machine, every pixel', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  let venv: KerasVenv;
  let live: Recording | null = null;

  beforeAll(async () => {
    venv = await kerasVenv();
    if ('python' in venv) live = JSON.parse(await runPython(venv.python, 'augmentation.py', [folder])) as Recording;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(committed.cases.map((wanted, index) => ({ ...wanted, index })))(TITLE, ({ index }, context) => {
    skipWithoutKeras(context, venv);
    const wanted = live?.cases[index];
    if (live === null || wanted === undefined) throw new Error(`augmentation.py made no case ${index}`);
    expect(recordedError(live, wanted, folder)).toBeLessThan(TOLERANCE);
  });
});

function recordedError(recording: Recording, wanted: Case, folder: string | null): number {
  const maxError = largestDifference(augment(recording, wanted), wanted, folder);
  const { fillMode, interpolation } = wanted;
  const figure = {
    point: '3 augmentation',
    family: `${fillMode}, ${interpolation}`,
    size: recording.shape[1],
  } as const;
  recordParity({ ...figure, check: `${kindsOf(wanted)}, of 255`, maxError, limit: TOLERANCE });
  return maxError;
}

function kindsOf(one: Case): string {
  const kinds = {
    flip: one.flip !== 'none',
    rotation: one.rotation > 0,
    zoom: one.zoom > 0,
    translation: one.translationHeight > 0 || one.translationWidth > 0,
    contrast: one.contrast > 0,
    brightness: one.brightness > 0,
  };
  const used = Object.entries(kinds).flatMap(([kind, isUsed]) => (isUsed ? [kind] : []));
  return used.length > 3 ? 'all together' : used.join(' + ');
}

function augment(recording: Recording, config: Case): Float32Array {
  const before = tf.memory().numTensors;
  const images = tf.tensor4d(formulaImages('augment', recording.shape), recording.shape);
  const of = (field: keyof Recording['draws'], index: number): number => recording.draws[field][index] ?? NaN;
  const draws = recording.flips.map((flip, index) => ({
    flip: Math.fround(flip) <= 0.5,
    angle: of('angle', index),
    zoom: of('zoom', index),
    widthZoom: of(config.zoomWidth === null ? 'zoom' : 'widthZoom', index),
    downward: of('downward', index),
    rightward: of('rightward', index),
    contrast: of('contrast', index),
    brightness: of('brightness', index),
  }));
  const result = applyDraws(images, { ...config, seed: 0 }, draws);
  const values = result.dataSync<'float32'>();
  tf.dispose([images, result]);
  expect(tf.memory().numTensors).toBe(before);
  return values;
}
