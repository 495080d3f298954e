import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headGroupBytes } from '../../../services/core/network/head-memory.ts';
import { compileRunConfig } from '../../../services/core/search-space/compile.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import type { FeatureSetRef } from '../../../services/core/task.ts';
import { SweepOnWorker, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';
import { WorkerProcess } from './worker-process.ts';

const GROUP_SIZE = 64;
const OPTIMIZERS = ['rmsprop', 'adam', 'sgd', 'adamw'];

/** Outputs of 16 × 16 × 16, flattened. */
const FEATURE_COUNT = 4096;

function parametersOf(index: number): Parameters {
  return {
    backbone: 'mobilenet_v2',
    weights: 'random',
    cut: 'expanded_conv_project_BN',
    image_size: 32,
    batch_size: 8,
    epochs: 3,
    method: 'cached',
    seed: index,
    'head.pooling': 'flatten',
    'head.units': 128,
    'optimizer.name': OPTIMIZERS[index % OPTIMIZERS.length] ?? 'rmsprop',
    'optimizer.learning_rate': 1e-4,
  };
}

describe('memory of a group of heads', () => {
  let root: string;
  let sweep: SweepOnWorker;
  let worker: WorkerProcess;
  let featureSets: readonly FeatureSetRef[];

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-memory-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 24, validation: 8, test: 4 } });
    // Saves during training too.
    const folders = { artifactsDir: join(root, 'artifacts'), cacheDir: join(root, 'cache') };
    worker = new WorkerProcess({ ...folders, checkpointSeconds: 1 });
    sweep = new SweepOnWorker(join(root, 'data'), 'mobilenet_v2', 'random');
    await sweep.index(worker);
    featureSets = await sweep.computeFeatures(worker, sweep.featureSets(parametersOf(0), 'HEAD'));
  });
  afterAll(async () => {
    await worker.kill();
    rmSync(root, { recursive: true, force: true });
  });

  async function peakOf(indices: readonly number[]): Promise<number> {
    const runs = indices.map((index) => taskRun(`run-${index}`, parametersOf(index)));
    const { outcomes } = await worker.complete(sweep.task('HEAD', { runs, featureSets }), 'TRAIN');
    expect(outcomes.map(({ kind }) => kind)).toEqual(indices.map(() => 'SUCCEEDED'));
    return Math.max(...outcomes.map(({ peakMemoryBytes }) => peakMemoryBytes));
  }

  function forecast(indices: readonly number[]): number {
    const heads = indices.map((index) => {
      const { head, optimizer } = compileRunConfig(parametersOf(index));
      return { head, optimizer, featureCount: FEATURE_COUNT, classCount: 2 };
    });
    return headGroupBytes(heads, 8);
  }

  it(`${GROUP_SIZE} heads stay under the forecast + 10 %`, async () => {
    const few = [0, 1, 2, 3];
    const many = Array.from({ length: GROUP_SIZE }, (_, index) => index);
    // A small group shows the memory of everything but the group.
    const rest = (await peakOf(few)) - forecast(few);
    const peak = (await peakOf(many)) - rest;
    const wanted = forecast(many);
    expect(peak).toBeLessThan(wanted * 1.1);
    expect(peak).toBeGreaterThan(wanted * 0.7);
  }, 120_000);
});
