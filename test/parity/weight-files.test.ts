import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHdf5Weights } from '../../services/trainer/backbones/hdf5-weights.ts';
import { buildLayerGraph } from '../../services/trainer/backbones/layer-graph.ts';
import { backboneDefinition } from '../../services/trainer/backbones/registry.ts';
import { formulaWeight } from './formula.ts';
import { kerasVenv, runPython } from './keras-venv.ts';

describe('weight files that Keras wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-parity-'));
  const graph = buildLayerGraph('mobilenet_v2', backboneDefinition('mobilenet_v2').layers(64), 64);
  let hasKeras = false;

  beforeAll(async () => {
    const venv = await kerasVenv();
    if ('reason' in venv) console.log(`No Keras here: ${venv.reason}`);
    else await runPython(venv.python, 'weight-files.py', [folder]);
    hasKeras = 'python' in venv;
  }, 600_000);

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.for(['keras3.weights.h5', 'unnamed.weights.h5', 'legacy.h5', 'renamed.h5'])('%s', async (file, context) => {
    context.skip(!hasKeras, 'Keras is not installed');
    const weights = await readHdf5Weights(join(folder, file), graph);
    const specs = graph.weights.flat();
    expect(weights.size).toBe(specs.length);
    const wrong = specs.filter(({ name, shape }) => {
      const wanted = formulaWeight(name, shape);
      return !wanted.every((value, index) => value === weights.get(name)?.values[index]);
    });
    expect(wrong).toEqual([]);
  });

  it('names the layer and both shapes when the file is of another network', async (context) => {
    context.skip(!hasKeras, 'Keras is not installed');
    const vgg = buildLayerGraph('vgg16', backboneDefinition('vgg16').layers(64), 64);
    await expect(readHdf5Weights(join(folder, 'legacy.h5'), vgg)).rejects.toThrow(
      /doesn't hold weights of vgg16: it has weights of 104 layers/,
    );
  });
});
