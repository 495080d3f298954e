import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startS3Server } from '../../support/s3-server.ts';
import { writeTinyImages } from '../worker/tiny-images.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';
import { TrainerProcess, sweepEnd } from './trainer-process.ts';

const s3 = await startS3Server();
if ('reason' in s3) console.log(`A cluster on S3 is not tested: ${s3.reason}`);
const AWS = {
  AWS_ENDPOINT_URL_S3: 'endpoint' in s3 ? s3.endpoint : '',
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
};

let root: string;
let harness: Harness;
const trainers: TrainerProcess[] = [];

beforeAll(async () => {
  if ('reason' in s3) return;
  // The coordinator of this process reads them, as any AWS client does.
  Object.assign(process.env, AWS);
  root = mkdtempSync(join(tmpdir(), 'graft-s3-'));
  writeTinyImages(join(root, 'data'), { counts: { train: 40, validation: 8, test: 8 } });
  await new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: 'graft-test' }));
  harness = await startHarness({ env: { GRAFT_ARTIFACTS_DIR: 's3://graft-test/cluster' } });
});
afterAll(async () => {
  if ('reason' in s3) return;
  for (const name of Object.keys(AWS)) Reflect.deleteProperty(process.env, name);
  await Promise.all(trainers.map((trainer) => trainer.kill()));
  await harness[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

it.skipIf('reason' in s3)(
  'runs a sweep on S3, with two trainers that share a small cache',
  { timeout: 180_000 },
  async () => {
    const cacheDir = join(root, 'cache');
    for (const trainerId of ['a', 'b']) {
      const place = { coordinator: harness.coordinator.address, artifacts: 's3://graft-test/cluster', cacheDir };
      const env = { ...AWS, GRAFT_TRAINER_CACHE_BYTES: '200000' };
      trainers.push(new TrainerProcess({ trainerId, folder: join(root, trainerId), env, ...place }));
    }
    const dataset = { path: join(root, 'data'), splitFractions: null, allowDuplicates: true, skipBadFiles: false };
    const base = { backbone: 'mobilenet_v2', weights: 'random', image_size: 32, epochs: 2, batch_size: 8 };
    const fineTune = { 'fine_tune.enabled': true, 'fine_tune.epochs': 1, 'fine_tune.unfreeze': 'block_16' };
    const sweepId = await harness.submit(specOf({ dataset, base: { ...base, ...fineTune } }));
    await sweepEnd(harness, sweepId);
    expect(await harness.query('SELECT state, state_reason FROM sweeps')).toEqual([
      { state: 'SUCCEEDED', state_reason: '' },
    ]);

    const [checkpoint] = await harness.query<{ checkpoint_id: string; sha256: string; size_bytes: string }>(
      // Others may be removed meanwhile, because a later epoch was better.
      `SELECT checkpoint_id, sha256, size_bytes FROM checkpoints c JOIN runs r USING (run_id)
        WHERE c.state = 'STORED' AND c.kind = 'BEST' AND c.stage = r.best_stage AND c.epoch = r.best_epoch LIMIT 1`,
    );
    const parts: Buffer[] = [];
    const download = harness.sweeps.downloadCheckpoint({ checkpointId: checkpoint?.checkpoint_id ?? '', offset: 0n });
    for await (const { data } of download) parts.push(data);
    expect(createHash('sha256').update(Buffer.concat(parts)).digest('hex')).toBe(checkpoint?.sha256);
    const rest: Buffer[] = [];
    const tail = harness.sweeps.downloadCheckpoint({ checkpointId: checkpoint?.checkpoint_id ?? '', offset: 1000n });
    for await (const { data } of tail) rest.push(data);
    expect(Buffer.concat(rest).equals(Buffer.concat(parts).subarray(1000))).toBe(true);

    const { Contents = [] } = await new S3Client({ forcePathStyle: true }).send(
      new ListObjectsV2Command({ Bucket: 'graft-test', Prefix: 'cluster/features/' }),
    );
    const sets = await harness.query<{ uri: string }>(`SELECT uri FROM feature_sets WHERE state = 'COMPUTED'`);
    expect(Contents.map(({ Key }) => Key).toSorted()).toEqual(sets.map(({ uri }) => `cluster/${uri}`).toSorted());
    // Copies of features and checkpoints, of which none is held any more.
    expect(
      readdirSync(join(cacheDir, 'artifacts')).filter((name) => name.endsWith('.safetensors')).length,
    ).toBeGreaterThan(0);
    expect(readdirSync(join(cacheDir, 'artifacts', 'pins'))).toEqual([]);
  },
);
