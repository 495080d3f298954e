import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backbone } from '../../services/trainer/backbones/backbone.ts';
import { createBackbone } from '../../services/trainer/backbones/graph-backbone.ts';
import { buildLayerGraph } from '../../services/core/network/layer-graph.ts';
import { preprocessImages } from '../../services/trainer/backbones/preprocessing.ts';
import { backboneDefinition } from '../../services/core/network/backbones.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import type { Tensor, Tensor4D } from '../../services/trainer/engine/engine.ts';
import { largestRelativeError } from './compare.ts';
import type { RecordedTensor } from './compare.ts';
import { formulaImages, formulaUniform, formulaWeight } from './formula.ts';
import { kerasVenv, runPython, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';
import type { ParityPoint } from './table.ts';

interface Case {
  readonly backbone: string;
  readonly size: number;
  /** The lowest layer that gets gradients. */
  readonly top: string;
  /** What the first layer gets. */
  readonly preprocessed: RecordedTensor;
  readonly outputs: readonly RecordedTensor[];
  readonly gradients: readonly RecordedTensor[];
}

interface Recording {
  readonly keras: string;
  readonly cases: readonly Case[];
}

const TOLERANCE = 1e-4;
/** Half a second each on an idle machine. */
const TIMEOUT_MS = 60_000;
const BATCH = 2;

/** Made by backbones.py; holds some values of each tensor. */
const committed = JSON.parse(readFileSync(new URL('backbones.json', import.meta.url), 'utf8')) as Recording;

describe(`backbones against recorded values of Keras ${committed.keras}`, () => {
  it.each(committed.cases)('$backbone at $size pixels', { timeout: TIMEOUT_MS }, (wanted) => {
    checkCase(wanted, null);
  });
});

describe('backbones against Keras on this machine, every value', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  let venv: KerasVenv;
  let live: Recording | null = null;

  beforeAll(async () => {
    venv = await kerasVenv();
    if ('python' in venv) live = JSON.parse(await runPython(venv.python, 'backbones.py', [folder])) as Recording;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(committed.cases)('$backbone at $size pixels', { timeout: TIMEOUT_MS }, ({ backbone, size }, context) => {
    skipWithoutKeras(context, venv);
    const wanted = live?.cases.find((one) => one.backbone === backbone && one.size === size);
    if (wanted === undefined) throw new Error(`backbones.py made no case ${backbone} at ${size}`);
    checkCase(wanted, folder);
  });
});

function checkCase(wanted: Case, folder: string | null): void {
  const tensorsBefore = tf.memory().numTensors;
  const backbone = formulaBackbone(wanted.backbone, wanted.size);
  const shape: [number, number, number, number] = [BATCH, wanted.size, wanted.size, 3];
  const images = tf.tensor4d(formulaImages('images', shape), shape);
  if (folder !== null) expect(backbone.layers.map(({ name }) => name)).toEqual(layerNames(wanted, folder));
  const compare = (point: ParityPoint, check: string, values: Float32Array, expected: RecordedTensor): void => {
    const maxError = largestRelativeError(values, expected, folder);
    recordParity({ point, check, family: wanted.backbone, size: wanted.size, maxError, limit: TOLERANCE });
    expect(maxError, `${check}, ${expected.name}`).toBeLessThan(TOLERANCE);
  };
  const { preprocessing } = backboneDefinition(wanted.backbone.split(' ')[0] ?? '');
  compare('2 images', 'preprocessing', read(preprocessImages(images, preprocessing)), wanted.preprocessed);
  for (const output of wanted.outputs) {
    const value = backbone.forward(images, { to: output.name });
    expect(value.shape).toEqual(output.shape);
    expect([BATCH, ...backbone.outputShape(output.name)]).toEqual(output.shape);
    compare('1 forward pass', 'outputs', read(value), output);
  }
  const gradients = topGradients(backbone, wanted.top, images);
  expect([...gradients.keys()]).toEqual(wanted.gradients.map(({ name }) => name));
  for (const gradient of wanted.gradients) {
    const values = gradients.get(gradient.name) ?? new Float32Array();
    compare('1 forward pass', 'gradients of the last block', values, gradient);
  }
  images.dispose();
  backbone.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
}

function layerNames({ backbone, size }: Case, folder: string): unknown {
  return JSON.parse(readFileSync(join(folder, `${backbone}-${size}.json`), 'utf8'));
}

/** @param wanted name; "published" after it: with the layer that Keras adds for its published weights. */
function formulaBackbone(wanted: string, inputSize: number): Backbone {
  const [name = '', variant] = wanted.split(' ');
  const { publishedLayers, preprocessing, ...definition } = backboneDefinition(name);
  const layers = (variant === 'published' && publishedLayers) || definition.layers;
  const graph = buildLayerGraph(name, layers(inputSize), inputSize);
  const weights = new Map(
    graph.weights
      .flat()
      .map((spec) => [spec.name, { shape: spec.shape, values: formulaWeight(spec.name, spec.shape) }]),
  );
  return createBackbone({ name, inputSize, layers: layers(inputSize), weights, weightsDigest: '', preprocessing });
}

/** Gradients of sum(output × factor) in the top's parameters, by name. */
function topGradients(backbone: Backbone, from: string, images: Tensor4D): ReadonlyMap<string, Float32Array> {
  const top = backbone.createTop(from, null);
  const bottom = top.splitAfter === null ? images.clone() : backbone.forward(images, { to: top.splitAfter });
  const outputShape = [BATCH, ...backbone.outputShape(null)];
  const factor = tf.tensor(Float32Array.from(formulaUniform('factor', outputShape)), outputShape);
  const parameters = top.parameters.map(({ values, shape }) => tf.tensor(values, [...shape]));
  const loss = (...values: Tensor[]): Tensor => tf.sum(tf.mul(top.forward(bottom, values), factor));
  const gradients = tf.grads(loss)(parameters);
  tf.dispose([bottom, factor, parameters]);
  top.dispose();
  return new Map(top.parameters.map(({ name }, index) => [name, read(gradients[index] as Tensor)]));
}

function read(tensor: Tensor): Float32Array {
  const values = tensor.dataSync<'float32'>();
  tensor.dispose();
  return values;
}
