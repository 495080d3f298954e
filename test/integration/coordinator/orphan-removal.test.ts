import { utimesSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OrphanRemoval } from '../../../services/coordinator/loops/orphan-removal.ts';
import { createStore } from '../../../services/coordinator/store/store.ts';
import type { Store } from '../../../services/coordinator/store/store.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

const MIN_AGE_MS = 3_600_000;

let harness: Harness;
let store: Store;
let closeStore: () => Promise<void>;

beforeAll(async () => {
  harness = await startHarness();
  const log = createLogger('test', 'silent');
  const pool = createPool(harness.databaseUrl, { applicationName: 'test', log });
  store = createStore({ pool, log, leaseMs: 30_000 });
  closeStore = async (): Promise<void> => {
    await store.prisma.$disconnect();
    await pool.end();
  };
});
afterAll(async () => {
  await closeStore();
  await harness[Symbol.asyncDispose]();
});

async function put(uri: string, isOld: boolean): Promise<string> {
  await harness.artifacts.write(uri, Buffer.from('x'));
  const then = new Date(Date.now() - (isOld ? 2 * MIN_AGE_MS : 0));
  utimesSync(harness.artifacts.localPath(uri), then, then);
  return uri;
}

async function isThere(uri: string): Promise<boolean> {
  return (await harness.artifacts.stat(uri)) !== null;
}

describe('OrphanRemoval', () => {
  it('removes old files that have no row and can not be registered any more, and no others', async () => {
    const trainer = await harness.trainer('t1');
    await harness.submit(specOf());
    await trainer.work(await trainer.mustLease('INDEX'));
    await trainer.work(await trainer.mustLease('FEATURES'));
    const head = await trainer.mustLease('HEAD');
    const runId = head.runs[0]?.runId ?? '';
    const registered = await trainer.checkpoint(head, runId, 1, 'LAST');
    const then = new Date(Date.now() - 2 * MIN_AGE_MS);
    utimesSync(harness.artifacts.localPath(registered.uri), then, then);
    const ofLiveTask = await put(`checkpoints/${runId}/head-0002-last-1.safetensors`, true);
    const lost = await put('checkpoints/gone/head-0001-last-1.safetensors', true);
    const half = await put(`features/${'a'.repeat(64)}.safetensors.host-1-0.tmp`, true);
    const young = await put('checkpoints/gone/head-0002-last-1.safetensors', false);
    const features = await put('features/b.safetensors', true);
    const second = await harness.trainer('t2');
    await harness.submit(specOf({ base: { ...specOf().base, image_size: 96 } }));
    await second.work(await second.mustLease('INDEX'));
    const making = await second.mustLease('FEATURES');
    const partInUse = await put(`features/${making.featureSets[0]?.key ?? ''}.parts/00000000`, true);
    const abandonedPart = await put(`features/${head.featureSets[0]?.key ?? ''}.parts/00000000`, true);

    await new OrphanRemoval(store, harness.artifacts, MIN_AGE_MS, { isOwned: () => Promise.resolve(true) }).pass(
      new AbortController().signal,
    );

    for (const kept of [registered.uri, ofLiveTask, young, features, partInUse])
      expect(await isThere(kept), kept).toBe(true);
    for (const removed of [lost, half, abandonedPart]) expect(await isThere(removed), removed).toBe(false);
  });
});
