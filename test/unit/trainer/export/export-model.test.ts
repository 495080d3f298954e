import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { modelCost } from '../../../../services/core/network/model-cost.ts';
import { denseShapes, headInputCount } from '../../../../services/core/network/head-variables.ts';
import { outputShapeAt } from '../../../../services/core/network/base-cost.ts';
import { compileRunConfig } from '../../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../../services/core/sweep/sweep-spec.ts';
import { loadBackboneParts } from '../../../../services/trainer/backbones/load.ts';
import { describeModel } from '../../../../services/trainer/export/describe-model.ts';
import type { TrainedModel } from '../../../../services/trainer/export/describe-model.ts';
import { ExportError } from '../../../../services/trainer/export/export-error.ts';
import { exportModel } from '../../../../services/trainer/export/export-model.ts';

const SIZE = 32;
const BACKBONE = 'mobilenet_0.25';
const CARD = { classNames: ['cat', 'dog'], runId: 'run-1', stage: 'HEAD', epoch: 3, baseDigest: 'abc' } as const;

const folder = mkdtempSync(join(tmpdir(), 'graft-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const model = await headModel();

async function headModel(): Promise<TrainedModel> {
  const config = compileRunConfig({ backbone: BACKBONE, weights: 'random', image_size: SIZE, 'head.units': 0 });
  const backbone = await loadBackboneParts({
    backbone: BACKBONE,
    weights: 'random',
    inputSize: SIZE,
    cacheDir: folder,
  });
  const trained = new Map([
    ['head/output/kernel', new Float32Array(256).fill(0.5)],
    ['head/output/bias', Float32Array.of(0.25)],
  ]);
  return { config, backbone, classCount: 2, trained };
}

async function untrainedModel(parameters: Parameters, classCount: number): Promise<TrainedModel> {
  const config = compileRunConfig({ ...parameters, weights: 'random', image_size: SIZE });
  const { name, cut } = config.backbone;
  const backbone = await loadBackboneParts({ backbone: name, weights: 'random', inputSize: SIZE, cacheDir: folder });
  const inputCount = headInputCount(config.head, outputShapeAt(name, SIZE, cut));
  const layers = denseShapes(config.head, inputCount, classCount).flatMap(
    ({ name: layer, inputCount, outputCount }) => [
      [`${layer}/kernel`, new Float32Array(inputCount * outputCount)] as const,
      [`${layer}/bias`, new Float32Array(outputCount)] as const,
    ],
  );
  return { config, backbone, classCount, trained: new Map(layers) };
}

describe('exportModel', () => {
  it.each(['keras', 'keras-h5'] as const)('writes %s with a base that can be read as weights', async (format) => {
    const target = join(folder, 'new', format === 'keras' ? 'model.keras' : 'model.h5');
    const [file] = await exportModel(model, CARD, { format, target });
    expect(file?.path).toBe(target);
    expect(file?.sizeBytes).toBe(readFileSync(target).length);
    const read = await loadBackboneParts({ backbone: BACKBONE, weights: target, inputSize: SIZE, cacheDir: folder });
    expect([...read.weights.keys()]).toEqual([...model.backbone.weights.keys()]);
    for (const [name, { values }] of model.backbone.weights) expect(read.weights.get(name)?.values).toEqual(values);
  });

  it('replaces an earlier TensorFlow.js export and leaves other files alone', async () => {
    const target = join(folder, 'web');
    mkdirSync(target);
    writeFileSync(join(target, 'group1-shard7of9.bin'), 'old');
    writeFileSync(join(target, 'index.html'), 'mine');
    const files = await exportModel(model, CARD, { format: 'tfjs', target });
    expect(readdirSync(target).sort()).toEqual(['group1-shard1of1.bin', 'index.html', 'model.json']);
    expect(files.map(({ path }) => path)).toEqual([join(target, 'model.json'), join(target, 'group1-shard1of1.bin')]);
    const json = JSON.parse(readFileSync(join(target, 'model.json'), 'utf8')) as Record<string, unknown>;
    expect(json['userDefinedMetadata']).toEqual({ graft: CARD });
  });

  it('reports the path that it could not write, and leaves no partial file', async () => {
    const target = join(folder, 'folder.keras');
    mkdirSync(join(target, 'taken'), { recursive: true });
    const failed = exportModel(model, CARD, { format: 'keras', target });
    await expect(failed).rejects.toThrow(ExportError);
    await expect(failed).rejects.toThrow(target);
    expect(existsSync(`${target}.part`)).toBe(false);
  });

  it.each([
    { backbone: BACKBONE, 'head.units': 0 },
    { backbone: BACKBONE, 'head.units': 16, 'head.layers': 2, 'head.pooling': 'flatten' },
    // A convolution of its own for the preprocessing, and a part of the base.
    { backbone: 'vgg16', cut: 'block2_pool', 'head.units': 8 },
    // A normalization that counts its images.
    { backbone: 'efficientnet_b0', 'head.units': 0 },
  ])('writes as many bytes of weights as the costs of a run say: %j', async (parameters) => {
    const large = await untrainedModel(parameters, 5);
    const { modelBytes, parameterCount } = modelCost(large.config, 5);
    const tensors = describeModel(large, true).layers.flatMap(({ name, weights }) =>
      weights.map(({ values }) => ({ name, count: values.length, bytes: values.byteLength })),
    );
    expect(tensors.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(modelBytes);
    const counted = tensors.filter(({ name }) => name !== 'preprocessing');
    expect(counted.reduce((sum, { count }) => sum + count, 0)).toBe(parameterCount);
    const target = join(folder, 'sized.keras');
    const [file] = await exportModel(large, CARD, { format: 'keras', target });
    // HDF5 and the description of the layers.
    expect((file?.sizeBytes ?? 0) - modelBytes).toBeGreaterThan(0);
    expect((file?.sizeBytes ?? 0) - modelBytes).toBeLessThan(2e6);
  });

  it('names a trained tensor that is missing', async () => {
    const incomplete = { ...model, trained: new Map<string, Float32Array>() };
    const failed = exportModel(incomplete, CARD, { format: 'tfjs', target: join(folder, 'none') });
    await expect(failed).rejects.toThrow('head/output/kernel');
  });
});
