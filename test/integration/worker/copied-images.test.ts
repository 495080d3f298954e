import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { InProcessWorker } from './in-process-worker.ts';
import { SweepOnWorker } from './sweep-on-worker.ts';
import { writeTinyImages } from './tiny-images.ts';

vi.hoisted(() => (process.env['GRAFT_SLOT_THREADS'] = '1'));

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'graft-copied-images-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('reads the folder of the sweep, whichever folder the manifest and the data set name', async () => {
  const [data, copy] = [join(root, 'data'), join(root, 'copy')];
  writeTinyImages(data, { counts: { train: 4, validation: 2, test: 2 } });
  cpSync(data, copy, { recursive: true });
  const artifacts = new DirectoryArtifactStore(join(root, 'store'));
  const worker = (cache: string) =>
    new InProcessWorker({ artifacts, cacheDir: join(root, cache), checkpointSeconds: 1000 });
  // The copy is indexed first, so that the shared manifest names it.
  const copied = await new SweepOnWorker(copy, 'vgg16', 'random').index(worker('cache'));
  const sweep = new SweepOnWorker(data, 'vgg16', 'random');
  const own = await sweep.index(worker('cache'));
  expect(own.dataset.digest).toBe(copied.dataset.digest);
  expect(own.manifestUri).toBe(copied.manifestUri);
  rmSync(copy, { recursive: true });
  const parameters = { backbone: 'vgg16', weights: 'random', image_size: 32, method: 'cached' };
  const featureSets = sweep.featureSets(parameters, 'HEAD');
  // A coordinator of an earlier version names the copy, which was indexed last.
  for (const dataset of [own.dataset, copied.dataset]) {
    const task = sweep.task('FEATURES', { featureSets, dataset });
    const result = await worker(`cache-${dataset === own.dataset ? 'own' : 'copy'}`).complete(task, 'FEATURES');
    expect(result.featureSets.map(({ rowCount }) => rowCount)).toEqual([8, 4]);
    rmSync(join(root, 'store', 'features'), { recursive: true });
  }
});
