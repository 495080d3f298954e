import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FeatureSetRef } from '../../../services/core/task.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker, curve, taskRun } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';
import { WorkerProcess } from './worker-process.ts';

// Results are bitwise equal only for the same number of threads; set before TensorFlow is loaded.
vi.hoisted(() => (process.env['GRAFT_SLOT_THREADS'] = '1'));

/** Three parts of 128, 128 and 64 images. */
const TRAIN_IMAGES_PER_CLASS = 160;

describe('feature sets', () => {
  let root: string;
  let sweep: SweepOnWorker;
  let wanted: readonly FeatureSetRef[];

  const inProcess = (store: string): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, store)),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-features-'));
    writeTinyImages(join(root, 'data'), { counts: { train: TRAIN_IMAGES_PER_CLASS, validation: 4, test: 4 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'vgg16', 'random');
    for (const store of ['disturbed', 'undisturbed']) await sweep.index(inProcess(store));
    const sets = sweep.featureSets({ backbone: 'vgg16', weights: 'random', image_size: 32, method: 'cached' }, 'HEAD');
    wanted = await sweep.computeFeatures(inProcess('undisturbed'), sets);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('resume at the last part of a killed extraction, with a bitwise equal file', async () => {
    const sets = wanted.map((set) => ({ ...set, uri: null, sha256: null, shape: [], rowCount: 0, sizeBytes: 0 }));
    const parts = join(root, 'disturbed', 'features', `${sets[0]?.key ?? ''}.parts`);
    mkdirSync(parts, { recursive: true });
    {
      await using worker = new WorkerProcess({ artifactsDir: join(root, 'disturbed'), cacheDir: join(root, 'cache') });
      await worker.ready();
      const changes = watch(parts);
      worker.send({ type: 'start', task: sweep.task('FEATURES', { featureSets: sets }) });
      for await (const { filename } of changes) if (filename === '00000128') break;
      await worker.kill('SIGKILL');
    }
    expect(readdirSync(parts).filter((name) => !name.endsWith('.tmp'))).toEqual(['00000000', '00000128']);
    expect(await sweep.computeFeatures(inProcess('disturbed'), sets)).toEqual(wanted);
    expect(
      readdirSync(join(root, 'disturbed', 'features')).filter((name) => name.endsWith('.safetensors')),
    ).toHaveLength(2);
  });

  it('are the same if images are decoded while the base computes, and keep the decoded images', async () => {
    const cacheDir = join(root, 'cache-beside');
    const artifacts = new DirectoryArtifactStore(join(root, 'beside'));
    const worker = new InProcessWorker({ artifacts, cacheDir, checkpointSeconds: 1000, decodesBeside: true });
    await sweep.index(worker);
    const sets = wanted.map((set) => ({ ...set, uri: null, sha256: null, shape: [], rowCount: 0, sizeBytes: 0 }));
    expect(await sweep.computeFeatures(worker, sets)).toEqual(wanted);
    const images = (folder: string): readonly string[] => readdirSync(join(root, folder, 'images')).sort();
    expect(images('cache-beside')).toEqual(images('cache'));
  });

  it('have half the size in half precision, and train a head as well', async () => {
    const curves = [];
    const sizes = [];
    for (const feature_dtype of ['float32', 'float16']) {
      const parameters = { backbone: 'vgg16', weights: 'random', image_size: 32, feature_dtype, epochs: 5, seed: 3 };
      const worker = inProcess('undisturbed');
      const featureSets = await sweep.computeFeatures(worker, sweep.featureSets(parameters, 'HEAD'));
      sizes.push(featureSets.map(({ sizeBytes, rowCount }) => Math.round(sizeBytes / rowCount / 512)));
      await worker.complete(sweep.task('HEAD', { runs: [taskRun(feature_dtype, parameters)], featureSets }), 'TRAIN');
      curves.push(curve(worker.events, feature_dtype, 'HEAD').map(({ values }) => values['loss'] ?? NaN));
    }
    // Bytes per value; the few validation images share a header.
    expect(sizes.map(([train]) => train)).toEqual([4, 2]);
    const [single = [], half = []] = curves;
    expect(half).toHaveLength(5);
    for (const [epoch, loss] of half.entries()) expect(loss).toBeCloseTo(single[epoch] ?? NaN, 3);
    expect(half).not.toEqual(single);
  });
});
