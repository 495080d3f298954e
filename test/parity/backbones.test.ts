import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backbone } from '../../services/trainer/backbones/backbone.ts';
import { createBackbone } from '../../services/trainer/backbones/graph-backbone.ts';
import { buildLayerGraph } from '../../services/trainer/backbones/layer-graph.ts';
import { backboneDefinition } from '../../services/trainer/backbones/registry.ts';
import { tf } from '../../services/trainer/engine/engine.ts';
import type { Tensor, Tensor4D } from '../../services/trainer/engine/engine.ts';
import { largestRelativeError } from './compare.ts';
import type { RecordedTensor } from './compare.ts';
import { formulaImages, formulaUniform, formulaWeight } from './formula.ts';
import { kerasVenv, runPython } from './keras-venv.ts';

interface Case {
  readonly backbone: string;
  readonly size: number;
  readonly layers: readonly string[];
  /** The lowest layer that gets gradients. */
  readonly top: string;
  readonly outputs: readonly RecordedTensor[];
  readonly gradients: readonly RecordedTensor[];
}

interface Recording {
  readonly keras: string;
  readonly cases: readonly Case[];
}

const TOLERANCE = 1e-4;
const BATCH = 2;

/** Made by backbones.py; holds some values of each tensor. */
const committed = JSON.parse(readFileSync(new URL('backbones.json', import.meta.url), 'utf8')) as Recording;

describe(`backbones against recorded values of Keras ${committed.keras}`, () => {
  it.each(committed.cases)('$backbone at $size pixels', (wanted) => {
    checkCase(wanted, null);
  });
});

describe('backbones against Keras on this machine, every value', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  let live: Recording | null = null;

  beforeAll(async () => {
    const venv = await kerasVenv();
    if ('reason' in venv) console.log(`No Keras here: ${venv.reason}`);
    else live = JSON.parse(await runPython(venv.python, 'backbones.py', [folder])) as Recording;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(committed.cases)('$backbone at $size pixels', ({ backbone, size }, context) => {
    context.skip(live === null, 'Keras is not installed');
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
  expect(backbone.layers.map(({ name }) => name)).toEqual(wanted.layers);
  for (const output of wanted.outputs) {
    const value = backbone.forward(images, { to: output.name });
    expect(value.shape).toEqual(output.shape);
    expect([BATCH, ...backbone.outputShape(output.name)]).toEqual(output.shape);
    expect(largestRelativeError(read(value), output, folder), `output of ${output.name}`).toBeLessThan(TOLERANCE);
  }
  const gradients = topGradients(backbone, wanted.top, images);
  expect([...gradients.keys()]).toEqual(wanted.gradients.map(({ name }) => name));
  for (const gradient of wanted.gradients) {
    const values = gradients.get(gradient.name) ?? new Float32Array();
    expect(largestRelativeError(values, gradient, folder), `gradient of ${gradient.name}`).toBeLessThan(TOLERANCE);
  }
  images.dispose();
  backbone.dispose();
  expect(tf.memory().numTensors).toBe(tensorsBefore);
}

function formulaBackbone(name: string, inputSize: number): Backbone {
  const { layers, preprocessing } = backboneDefinition(name);
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
