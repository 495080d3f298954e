import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Parameters } from '../../services/core/sweep/sweep-spec.ts';
import { backboneGraph } from '../../services/core/network/backbone-graph.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import type { Tensor } from '../../services/trainer/engine/engine.ts';
import type { ExportFormat } from '../../services/trainer/export/export-model.ts';
import { exportCheckpoint } from '../../services/trainer/tool/export-checkpoint.ts';
import { predict } from '../../services/trainer/tool/predict.ts';
import type { ToolEvent } from '../../services/trainer/tool/tool-protocol.ts';
import { writeCheckpoint, writeFormulaWeights } from './export-checkpoint-file.ts';
import { formulaImages } from './formula.ts';
import { kerasVenv, runPython, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';

interface Case {
  readonly name: string;
  readonly classCount: number;
  readonly published?: boolean;
  readonly parameters: Parameters & { readonly backbone: string; readonly image_size: number };
}

const FINE_TUNED = { 'fine_tune.enabled': true, 'fine_tune.unfreeze': 'last_block' };

const CASES: readonly Case[] = [
  {
    name: 'vgg16-head',
    classCount: 2,
    parameters: { backbone: 'vgg16', image_size: 48, 'head.units': 8, 'head.dropout': 0.5, 'head.activation': 'relu' },
  },
  {
    name: 'vgg16-fine-tuned',
    classCount: 3,
    parameters: { backbone: 'vgg16', image_size: 32, 'head.units': 8, 'head.layers': 2, ...FINE_TUNED },
  },
  {
    name: 'mobilenet_v2-fine-tuned',
    classCount: 2,
    parameters: { backbone: 'mobilenet_v2', image_size: 33, 'head.pooling': 'avg', 'head.units': 0, ...FINE_TUNED },
  },
  {
    name: 'lite0-cut',
    classCount: 3,
    parameters: {
      backbone: 'efficientnet_lite0',
      image_size: 40,
      cut: 'block3b_add',
      'head.pooling': 'max',
      'head.units': 8,
      'head.activation': 'gelu',
    },
  },
  {
    name: 'efficientnet_b0-fine-tuned',
    classCount: 2,
    parameters: {
      backbone: 'efficientnet_b0',
      image_size: 48,
      'head.pooling': 'avg',
      'head.units': 8,
      'head.activation': 'swish',
      ...FINE_TUNED,
    },
  },
  {
    name: 'efficientnet_b0-published',
    classCount: 3,
    published: true,
    parameters: { backbone: 'efficientnet_b0', image_size: 33, 'head.pooling': 'avg', 'head.units': 0 },
  },
  {
    name: 'efficientnet_v2_b0-head',
    classCount: 2,
    parameters: { backbone: 'efficientnet_v2_b0', image_size: 32, 'head.pooling': 'avg', 'head.units': 0 },
  },
  {
    name: 'densenet121-head',
    classCount: 3,
    parameters: { backbone: 'densenet121', image_size: 32, 'head.pooling': 'avg', 'head.units': 0 },
  },
  {
    name: 'xception-cut',
    classCount: 2,
    parameters: { backbone: 'xception', image_size: 71, cut: 'add_2', 'head.pooling': 'avg', 'head.units': 0 },
  },
];

/** Legacy files for every kind of layer; loading one of each base would take Keras half a minute more. */
const WITH_H5 = ['vgg16-head', 'vgg16-fine-tuned', 'mobilenet_v2-fine-tuned', 'lite0-cut'];
const FILE_NAMES = { keras: '.keras', 'keras-h5': '.h5', tfjs: '-tfjs' } as const;
const IMAGES = 3;
const TOLERANCE = 1e-4;

interface KerasAnswer {
  readonly probabilities: readonly (readonly number[])[];
  readonly layers: readonly string[];
  readonly trainable: readonly string[];
}

describe('exported models give the predictions of Graft', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-export-'));
  const expected = new Map<string, readonly (readonly number[])[]>();
  let venv: KerasVenv;
  let answers: Readonly<Record<string, KerasAnswer>> = {};

  beforeAll(async () => {
    for (const one of CASES) expected.set(one.name, await exportCase(folder, one));
    const cases = CASES.map(({ name, parameters }) => ({ name, size: parameters.image_size, files: kerasFiles(name) }));
    writeFileSync(join(folder, 'cases.json'), JSON.stringify(cases));
    venv = await kerasVenv();
    if ('reason' in venv) return;
    const output = await runPython(venv.python, 'export.py', [folder]);
    answers = (JSON.parse(output) as { files: Record<string, KerasAnswer> }).files;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(CASES)('$name tells its images apart', ({ name }) => {
    // Images with equal predictions would show nothing: they differ by far more than the tolerance.
    const first = (expected.get(name) ?? []).map((row) => row[0] ?? 0);
    const spread = Math.max(...first) - Math.min(...first);
    expect(spread).toBeGreaterThan(10 * TOLERANCE);
  });

  const files = CASES.flatMap((one) => kerasFiles(one.name).map((file) => ({ ...one, file })));

  it.for(files)('$file in Keras', ({ name, file, parameters, classCount }, context) => {
    skipWithoutKeras(context, venv);
    const answer = answers[file];
    if (answer === undefined) throw new Error(`export.py gave no answer for ${file}`);
    expectProbabilities(file.endsWith('.h5') ? '.h5' : '.keras', answer.probabilities, name);
    expect(answer.probabilities[0]).toHaveLength(classCount === 2 ? 1 : classCount);
    expectBaseLayers(answer, parameters);
    const trainsBase = answer.trainable.some((path) => !path.startsWith('head_'));
    expect(trainsBase).toBe(parameters['fine_tune.enabled'] === true);
    expect(answer.trainable.filter((path) => /gamma|beta|moving/.test(path))).toEqual([]);
  });

  it.for(CASES)('$name in TensorFlow.js', async ({ name, parameters }) => {
    const model = await tf.loadLayersModel(pathToFileURL(join(folder, `${name}-tfjs`, 'model.json')).href);
    const size = parameters.image_size;
    const images = tf.tensor4d(imagesOf(name, size), [IMAGES, size, size, 3]);
    const output = model.predict(images) as Tensor;
    const probabilities = output.arraySync() as number[][];
    tf.dispose([images, output]);
    model.dispose();
    expectProbabilities('tfjs', probabilities, name);
  });

  function expectProbabilities(format: string, outputs: readonly (readonly number[])[], name: string): void {
    const maxError = largestDifference(asProbabilities(outputs), expected.get(name) ?? []);
    const size = CASES.find((one) => one.name === name)?.parameters.image_size ?? null;
    recordParity({
      point: '9 exports',
      check: `probabilities, ${format}`,
      family: name,
      size,
      maxError,
      limit: TOLERANCE,
    });
    expect(maxError).toBeLessThanOrEqual(TOLERANCE);
  }
});

function formatsOf(name: string): readonly ExportFormat[] {
  return WITH_H5.includes(name) ? ['keras', 'keras-h5', 'tfjs'] : ['keras', 'tfjs'];
}

function kerasFiles(name: string): readonly string[] {
  return formatsOf(name).flatMap((format) => (format === 'tfjs' ? [] : [`${name}${FILE_NAMES[format]}`]));
}

/** Writes a case's weights, checkpoint, images and exports; returns Graft's probabilities for the images. */
async function exportCase(folder: string, one: Case): Promise<readonly (readonly number[])[]> {
  const { name, classCount } = one;
  const { backbone } = one.parameters;
  const published = one.published === true;
  const weights = join(folder, `weights-${backbone}${published ? '-published' : ''}.safetensors`);
  if (!existsSync(weights)) writeFormulaWeights(weights, backbone, published);
  const parameters = { ...one.parameters, weights };
  const checkpoint = join(folder, `${name}.safetensors`);
  await writeCheckpoint(checkpoint, parameters, classCount);
  const classNames = Array.from({ length: classCount }, (_, index) => `class-${index}`);
  const common = { checkpoint, parameters, classNames, cacheDir: folder };
  const nothing = (): void => undefined;
  for (const format of formatsOf(name)) {
    const target = join(folder, `${name}${FILE_NAMES[format]}`);
    await exportCheckpoint({ type: 'export', ...common, format, target }, nothing);
  }
  const images = await writeImages(folder, name, one.parameters.image_size);
  const probabilities: (readonly number[])[] = [];
  await predict({ type: 'predict', ...common, images }, (event: ToolEvent) => {
    if (event.type === 'prediction') probabilities.push(event.probabilities);
  });
  return probabilities;
}

/** Writes the images twice: as PNG for Graft and as bytes for Python. */
async function writeImages(folder: string, name: string, size: number): Promise<readonly string[]> {
  const pixels = Uint8Array.from(imagesOf(name, size));
  writeFileSync(join(folder, `${name}.images`), pixels);
  const raw = { width: size, height: size, channels: 3 } as const;
  return Promise.all(
    Array.from({ length: IMAGES }, async (_, index) => {
      const path = join(folder, `${name}-${index}.png`);
      const length = size * size * 3;
      await sharp(pixels.subarray(index * length, (index + 1) * length), { raw })
        .png()
        .toFile(path);
      return path;
    }),
  );
}

function imagesOf(name: string, size: number): Float32Array {
  const values = formulaImages(name, [IMAGES, size, size, 3]);
  // From dark to bright, so that pooled features differ too.
  return values.map((value, index) => Math.floor(value / (1 + Math.floor((index * IMAGES) / values.length))));
}

/** Converts outputs; one sigmoid output is the probability of the second class. */
function asProbabilities(outputs: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return outputs.map((row) => (row.length === 1 ? [1 - (row[0] ?? 0), row[0] ?? 0] : row));
}

function largestDifference(actual: readonly (readonly number[])[], wanted: readonly (readonly number[])[]): number {
  expect(actual.map((row) => row.length)).toEqual(wanted.map((row) => row.length));
  const differences = wanted.flatMap((row, index) =>
    row.map((value, column) => Math.abs(value - (actual[index]?.[column] ?? NaN))),
  );
  return Math.max(...differences);
}

/** Asserts that Keras has the base's layers in Keras' order, between the preprocessing and the head. */
function expectBaseLayers(answer: KerasAnswer, { backbone, cut }: Case['parameters']): void {
  const names = backboneGraph(backbone, 224).infos.map(({ name }) => name);
  const wanted = cut === undefined ? names : names.slice(0, names.indexOf(String(cut)) + 1);
  const own = ['image', 'preprocessing', 'rescaling_1'];
  const kept = answer.layers.filter((name) => !own.includes(name) && !name.startsWith('head_'));
  expect(kept).toEqual(wanted.filter((name) => !own.includes(name)));
}
