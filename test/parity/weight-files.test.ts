import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHdf5Weights } from '../../services/trainer/backbones/hdf5-weights.ts';
import { withArchivedWeights } from '../../services/trainer/backbones/keras-archive.ts';
import type { Weights } from '../../services/trainer/backbones/folded-weights.ts';
import { buildLayerGraph } from '../../services/core/network/layer-graph.ts';
import type { LayerGraph } from '../../services/core/network/layer-graph.ts';
import { backboneDefinition } from '../../services/core/network/backbones.ts';
import { formulaWeight } from './formula.ts';
import { kerasVenv, runPython, skipWithoutKeras } from './keras-venv.ts';
import type { KerasVenv } from './keras-venv.ts';
import { recordParity } from './table.ts';

/** A member of each family, as in weight-files.py. */
const BACKBONES = [
  'vgg16',
  'xception',
  'resnet50',
  'resnet50_v2',
  'mobilenet_0.25',
  'mobilenet_v2_0.35',
  'efficientnet_b0',
  'efficientnet_v2_b0',
  'densenet121',
];
const SMALL = 'mobilenet_0.25';

describe('weight files that Keras wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  let venv: KerasVenv;

  beforeAll(async () => {
    venv = await kerasVenv();
    if ('python' in venv) await runPython(venv.python, 'weight-files.py', [folder]);
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(BACKBONES)('%s, Keras 3 and legacy', { timeout: 60_000 }, async (backbone, context) => {
    skipWithoutKeras(context, venv);
    const graph = graphOf(backbone);
    const weights = await readHdf5Weights(join(folder, `${backbone}.weights.h5`), graph);
    expectFormula(graph, weights, 'tensors that differ, Keras 3 file');
    const legacy = await readHdf5Weights(join(folder, `${backbone}.h5`), graph);
    expectFormula(graph, legacy, 'tensors that differ, legacy file');
    expect([...legacy.keys()]).toEqual([...weights.keys()]);
  });

  it.for(['unnamed.weights.h5', 'renamed.h5', 'whole.h5'])('%s', async (file, context) => {
    skipWithoutKeras(context, venv);
    const graph = graphOf(SMALL);
    expectFormula(graph, await readHdf5Weights(join(folder, file), graph), `tensors that differ, ${file}`);
  });

  it.for(['whole.keras', 'nested.keras'])('%s', async (file, context) => {
    skipWithoutKeras(context, venv);
    const graph = graphOf(SMALL);
    const path = join(folder, file);
    const weights = await withArchivedWeights(path, graphOf(SMALL), async (inside) => readHdf5Weights(inside, graph));
    expectFormula(graph, weights, `tensors that differ, ${file}`);
  });

  it.for(['h5', 'weights.h5'])('names what is wrong with a damaged .%s', async (ending, context) => {
    skipWithoutKeras(context, venv);
    const read = async (damage: string): Promise<unknown> =>
      readHdf5Weights(join(folder, `${damage}.${ending}`), graphOf(SMALL));
    await expect(read('missing')).rejects.toThrow(
      /doesn't fit mobilenet_0\.25: layer conv_pw_3_bn needs beta of shape \[32\], but the file has no such tensor/,
    );
    await expect(read('shape')).rejects.toThrow(
      /doesn't fit mobilenet_0\.25: layer conv_pw_3_bn needs beta of shape \[32\], but the file has shape \[7\]/,
    );
    await expect(read('truncated')).rejects.toThrow(
      /truncated\..*h5 doesn't hold weights .*: it is truncated or damaged/,
    );
  });

  it.for(['h5', 'weights.h5'])('knows a .%s of another network', async (ending, context) => {
    skipWithoutKeras(context, venv);
    const read = async (file: string, wanted: string): Promise<unknown> =>
      readHdf5Weights(join(folder, `${file}.${ending}`), graphOf(wanted));
    await expect(read('mobilenet_0.25', 'vgg16')).rejects.toThrow(
      /doesn't hold weights of vgg16: it has weights of 54 layers and lacks 13 of the 13 that are needed: block1_conv1, /,
    );
    await expect(read('resnet50', 'resnet50_v2')).rejects.toThrow(
      /doesn't hold weights of resnet50_v2: it has weights of 106/,
    );
    await expect(read('mobilenet_0.25', 'mobilenet')).rejects.toThrow(
      /layer conv1 needs kernel of shape \[3, 3, 3, 32\], but the file has shape \[3, 3, 3, 8\]/,
    );
  });

  it('refuses what is no archive of Keras', async (context) => {
    skipWithoutKeras(context, venv);
    const open = async (path: string): Promise<string> =>
      withArchivedWeights(path, graphOf(SMALL), (file) => Promise.resolve(file));
    const archive = readFileSync(join(folder, 'whole.keras'));
    const cut = join(folder, 'cut.keras');
    writeFileSync(cut, archive.subarray(0, archive.length - 500));
    await expect(open(cut)).rejects.toThrow(/not a ZIP archive, or truncated/);
    await expect(open(join(folder, 'renamed.h5'))).rejects.toThrow(/not a ZIP archive, or truncated/);
  });
});

function graphOf(backbone: string): LayerGraph {
  return buildLayerGraph(backbone, backboneDefinition(backbone).layers(75), 75);
}

function expectFormula(graph: LayerGraph, weights: Weights, check: string): void {
  const specs = graph.weights.flat();
  expect(weights.size).toBe(specs.length);
  const wrong = specs.filter(({ name, shape }) => {
    const read = weights.get(name);
    return Buffer.compare(bytes(formulaWeight(name, shape)), bytes(read?.values)) !== 0;
  });
  recordParity({
    point: '8 weight files',
    check,
    family: graph.backbone,
    size: null,
    maxError: wrong.length,
    limit: 0,
  });
  expect(wrong).toEqual([]);
}

function bytes(values: Float32Array = new Float32Array()): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
