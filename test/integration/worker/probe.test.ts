import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { logMe } from '../../../services/core/statistics/log-me.ts';
import { outOfFoldRidge } from '../../../services/core/statistics/ridge.ts';
import { spectrumOf } from '../../../services/core/statistics/spectrum.ts';
import type { LeasedTask, ProbeOrder } from '../../../services/core/task.ts';
import { ArtifactCache } from '../../../services/platform/artifacts/artifact-cache.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { decodeManifest } from '../../../services/trainer/data/manifest.ts';
import { drawProbeImages, stratifiedFolds } from '../../../services/trainer/data/probe-images.ts';
import { openFeatureRows } from '../../../services/trainer/training/feature-file.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';

// Results are bitwise equal only for the same number of threads; set before TensorFlow is loaded.
vi.hoisted(() => (process.env['GRAFT_SLOT_THREADS'] = '1'));

describe('a probe', { timeout: 60_000 }, () => {
  let root: string;
  let sweep: SweepOnWorker;
  let worker: InProcessWorker;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'graft-probe-'));
    writeTinyImages(join(root, 'data'), { counts: { train: 60, validation: 30, test: 4 } });
    sweep = new SweepOnWorker(join(root, 'data'), 'efficientnet_lite0', 'random');
    worker = workerOf();
    await sweep.index(worker);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const workerOf = (): InProcessWorker =>
    new InProcessWorker({
      artifacts: new DirectoryArtifactStore(join(root, 'store')),
      cacheDir: join(root, 'cache'),
      checkpointSeconds: 1000,
    });

  function task(changes: Partial<ProbeOrder> = {}): LeasedTask {
    const probe: ProbeOrder = {
      backbone: 'efficientnet_lite0',
      cut: null,
      imageSize: 32,
      pooling: 'avg',
      weightsDigest: sweep.indexed.weights.digest,
      trainImageCount: 60,
      validationImageCount: 30,
      ...changes,
    };
    return sweep.task('PROBE', { probe });
  }

  it('measures the features that FEATURES would store', async () => {
    const result = await worker.complete(task(), 'PROBE');
    expect(result).toMatchObject({ imageCount: 90, featureCount: 1280 });
    expect(result.latencySeconds).toBeGreaterThan(0);
    const parameters = { backbone: 'efficientnet_lite0', weights: 'random', image_size: 32, method: 'cached' };
    const sets = await sweep.computeFeatures(worker, sweep.featureSets(parameters, 'HEAD'));
    const { artifacts, indexed } = await stored(root, sweep);
    const drawn = drawProbeImages(indexed, { trainImageCount: 60, validationImageCount: 30 });
    const cache = new ArtifactCache({ store: artifacts, folder: join(root, 'copies'), maxBytes: Infinity });
    const values: number[] = [];
    for (const split of ['train', 'validation'] as const) {
      const set = sets.find((one) => one.split === split);
      if (set === undefined) throw new Error(`no features of ${split}`);
      const rows = await openFeatureRows(cache, set);
      const all = indexed.images.filter((image) => image.split === split);
      const places = drawn.filter((image) => image.split === split).map((image) => all.indexOf(image));
      values.push(...rows.read(Uint32Array.from(places)));
      rows.close();
    }
    const rows = { values: Float32Array.from(values), rowCount: 90, columnCount: 1280 };
    const labels = drawn.map(({ label }) => label);
    // The forward pass of another batch differs in the last bits.
    expect(result.logMe).toBeCloseTo(logMe(spectrumOf(rows), 1280, labels, 2), 3);
    const { predicted, penalty } = outOfFoldRidge(rows, labels, 2, stratifiedFolds(labels, 5, indexed.dataset.digest));
    expect(result.penalty).toBe(penalty);
    const right = labels.filter((label, image) => label === predicted[image]).length;
    expect(Math.abs(countBits(result.correct) - right)).toBeLessThanOrEqual(2);
  });

  it('is the same whenever it is repeated, and stores nothing', async () => {
    const before = readdirSync(join(root, 'store')).sort();
    const [first, second] = [await worker.complete(task(), 'PROBE'), await workerOf().complete(task(), 'PROBE')];
    expect(second.correct).toEqual(first.correct);
    expect(second.logMe).toBe(first.logMe);
    expect(readdirSync(join(root, 'store')).sort()).toEqual(before);
  });

  it('refuses weights that are not those of the plan', async () => {
    const end = await worker.run(task({ weightsDigest: 'f'.repeat(64) }));
    expect(end).toMatchObject({ type: 'failed', error: { errorClass: 'PERMANENT', code: 'DIGEST_MISMATCH' } });
  });

  it('stops on command', async () => {
    const stopped = workerOf();
    stopped.onEvent = (event, send) => {
      if (event.type === 'progress') send({ type: 'control', taskId: event.taskId, action: 'stop' });
    };
    expect(await stopped.run(task())).toMatchObject({ type: 'stopped', action: 'stop' });
  });
});

async function stored(root: string, sweep: SweepOnWorker) {
  const artifacts = new DirectoryArtifactStore(join(root, 'store'));
  const { manifestUri } = sweep.indexed;
  return { artifacts, indexed: decodeManifest(manifestUri, await artifacts.read(manifestUri)) };
}

function countBits(bytes: Uint8Array): number {
  return Array.from(bytes).reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
}
