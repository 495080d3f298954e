import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { startCoordinator } from '../../../services/coordinator/coordinator.ts';
import { readClusterIdentity } from '../../../services/coordinator/store/cluster/cluster-identity.ts';
import type { ArtifactStore } from '../../../services/platform/artifacts/artifact-store.ts';
import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import { openArtifactStore } from '../../../services/platform/artifacts/open-artifact-store.ts';
import { ConfigError } from '../../../services/platform/config/read-config.ts';
import { createPool } from '../../../services/platform/db/pool.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { createTestDatabase } from '../../support/database.ts';
import { startS3Server } from '../../support/s3-server.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

const MARKER = 'graft-store.json';
const LOST = `checkpoints/gone/head-0001-00000-last-1.safetensors`;
const s3 = await startS3Server();
if ('reason' in s3) console.log(`The owner of a store on S3 is not tested: ${s3.reason}`);
const AWS = {
  AWS_ENDPOINT_URL_S3: 'endpoint' in s3 ? s3.endpoint : '',
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
};

let root: string;
let count = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'graft-owner-'));
  if ('reason' in s3) return;
  Object.assign(process.env, AWS);
  await new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: 'graft-owner' }));
});
afterAll(async () => {
  rmSync(root, { recursive: true, force: true });
  if ('reason' in s3) return;
  for (const name of Object.keys(AWS)) Reflect.deleteProperty(process.env, name);
  await s3[Symbol.asyncDispose]();
});

function newFolder(): string {
  return join(root, `store-${count++}`);
}

/** Orphans are looked for every 5 ms and removed when 20 ms old. */
function startOn(
  address: string,
  options: { readonly databaseUrl?: string; readonly env?: Record<string, string> } = {},
) {
  return startHarness({
    ...options,
    env: { GRAFT_ARTIFACTS_DIR: address, GRAFT_COORDINATOR_ORPHAN_MS: '20', ...options.env },
  });
}

/** Starts a coordinator that must not come up. @returns what it says. */
async function refusal(address: string, databaseUrl: string): Promise<string> {
  const config = readCoordinatorConfig({
    DATABASE_URL: databaseUrl,
    GRAFT_ARTIFACTS_DIR: address,
    GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
    GRAFT_COORDINATOR_ORPHAN_MS: '20',
  });
  const failure: unknown = await startCoordinator(config, createLogger('coordinator', 'silent')).then(
    async (coordinator) => coordinator.stop(),
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(ConfigError);
  return (failure as ConfigError).message;
}

async function identityOf(databaseUrl: string): Promise<string> {
  const pool = createPool(databaseUrl, { applicationName: 'test', log: createLogger('test', 'silent') });
  try {
    return (await readClusterIdentity({ pool })).clusterId;
  } finally {
    await pool.end();
  }
}

/** A sweep on its way: a manifest, features, a registered checkpoint. @returns the checkpoint's uri */
async function beginSweep(harness: Harness, artifacts: ArtifactStore): Promise<string> {
  const trainer = await harness.trainer('t1', 1, artifacts);
  await harness.submit(specOf());
  await trainer.work(await trainer.mustLease('INDEX'));
  await trainer.work(await trainer.mustLease('FEATURES'));
  const head = await trainer.mustLease('HEAD');
  return (await trainer.checkpoint(head, head.runs[0]?.runId ?? '', 1, 'LAST')).uri;
}

const PLACES = [
  ['a folder', null, () => newFolder()],
  ['a bucket', 'reason' in s3 ? s3.reason : null, () => `s3://graft-owner/cluster-${count++}`],
] as const;

describe.each(PLACES.filter(([, reason]) => reason === null))(
  'the artifact store in %s',
  (_what, _reason, newAddress) => {
    it('is refused to a second cluster, which removes nothing, and given to it on command alone', async () => {
      const address = newAddress();
      const artifacts = await openArtifactStore(address);
      await using first = await startOn(address);
      const checkpoint = await beginSweep(first, artifacts);
      const own = await identityOf(first.databaseUrl);
      expect((await artifacts.read(MARKER)).toString()).toContain(own);

      await using database = await createTestDatabase();
      const message = await refusal(address, database.url);
      const other = await identityOf(database.url);
      expect(other).not.toBe(own);
      for (const named of [own, other, address, 'GRAFT_ARTIFACTS_DIR', 'DATABASE_URL', '--adopt-store']) {
        expect(message).toContain(named);
      }
      // The second one had its own checkpoints there once, as it thinks: nothing may go.
      expect(await artifacts.stat(checkpoint)).not.toBeNull();
      await first.coordinator.stop();

      await using second = await startOn(address, {
        databaseUrl: database.url,
        env: { GRAFT_COORDINATOR_ADOPT_STORE: 'on' },
      });
      expect((await artifacts.read(MARKER)).toString()).toContain(other);
      await second.coordinator.stop();
      expect(await refusal(address, first.databaseUrl)).toContain(`belongs to another cluster, ${other}`);
    });

    it('is marked once by coordinators of one cluster, also after a restart and a restored database', async () => {
      const address = newAddress();
      const artifacts = await openArtifactStore(address);
      await using database = await createTestDatabase();
      const [one, two] = await Promise.all([
        startOn(address, { databaseUrl: database.url }),
        startOn(address, { databaseUrl: database.url }),
      ]);
      await one[Symbol.asyncDispose]();
      const marker = await artifacts.read(MARKER);
      await using again = await two.restart();
      expect((await artifacts.read(MARKER)).equals(marker)).toBe(true);

      // A restored database has the identity of the one that was dumped.
      await using restored = await createTestDatabase();
      const pool = createPool(restored.url, { applicationName: 'test', log: createLogger('test', 'silent') });
      await pool.query('INSERT INTO cluster (cluster_id) VALUES ($1)', [await identityOf(again.databaseUrl)]);
      await pool.end();
      await using third = await startOn(address, { databaseUrl: restored.url });
      expect(third.coordinator.address).not.toBe('');
    });

    it('of the time before markers is taken by the cluster whose record names its files, and by no other', async () => {
      const address = newAddress();
      const artifacts = await openArtifactStore(address);
      const first = await startOn(address);
      await beginSweep(first, artifacts);
      await using upgraded = await first.restart(async () => {
        await artifacts.remove(MARKER);
        await first.query('DELETE FROM cluster');
        await using empty = await createTestDatabase();
        expect(await refusal(address, empty.url)).toMatch(/the database knows nothing of/);
        expect(await artifacts.stat(MARKER)).toBeNull();
      });
      expect((await artifacts.read(MARKER)).toString()).toContain(await identityOf(upgraded.databaseUrl));
    });

    it('with a damaged marker has no owner', async () => {
      const address = newAddress();
      const artifacts = await openArtifactStore(address);
      await artifacts.write(MARKER, Buffer.from('{"format": "graft-st'));
      await using database = await createTestDatabase();
      expect(await refusal(address, database.url)).toContain("graft-store.json that can't be read");
    });
  },
);

describe('a folder as artifact store', () => {
  it('that is empty is refused to a cluster that has marked another one: it may not be mounted', async () => {
    await using harness = await startOn(newFolder());
    expect(await refusal(newFolder(), harness.databaseUrl)).toMatch(/it is not mounted, or this is another folder/);
  });

  it('keeps strangers’ files, links and folders, whatever their names and ages', async () => {
    const folder = newFolder();
    const outside = newFolder();
    const old = (path: string): string => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'x');
      utimesSync(path, 0, 0);
      return path;
    };
    const kept = [
      old(join(folder, 'thesis.tmp')),
      old(join(folder, 'checkpoints/my-model.safetensors')),
      old(join(folder, 'checkpoints/run/notes.txt')),
      old(join(folder, 'features/cache.host-1-0.tmp')),
      old(join(outside, 'head-0001-00000-last-1.safetensors')),
      old(join(outside, 'file')),
    ];
    mkdirSync(join(folder, 'checkpoints/linked-file'), { recursive: true });
    symlinkSync(outside, join(folder, 'checkpoints/linked-folder'));
    symlinkSync(join(outside, 'file'), join(folder, 'checkpoints/linked-file/head-0001-00000-last-1.safetensors'));
    mkdirSync(join(folder, 'checkpoints/folder/head-0001-00000-last-1.safetensors'), { recursive: true });

    await using harness = await startOn(folder);
    const lost = old(join(folder, LOST));
    await harness.coordinator.loops.passes(2);
    const artifacts = new DirectoryArtifactStore(folder);
    expect(await artifacts.stat(LOST), lost).toBeNull();
    for (const path of kept) expect(readFileSync(path, 'utf8'), path).toBe('x');

    // Nor by a row that says so: a name outside, one of another form, a link.
    const checkpoint = await beginSweep(harness, artifacts);
    const uris = ['checkpoints/linked-folder/head-0001-00000-last-1.safetensors', 'thesis.tmp', MARKER, checkpoint];
    for (const uri of uris) {
      await harness.query(
        `UPDATE checkpoints SET state = 'DELETING', uri = $1 WHERE checkpoint_id = (SELECT min(checkpoint_id) FROM checkpoints)`,
        [uri],
      );
      await harness.coordinator.loops.passes(2);
      expect(await harness.query(`SELECT 1 FROM checkpoints WHERE state = 'DELETED' AND uri = $1`, [uri])).toHaveLength(
        1,
      );
    }
    for (const path of kept) expect(readFileSync(path, 'utf8'), path).toBe('x');
    expect(await artifacts.stat(MARKER)).not.toBeNull();
    expect(await artifacts.stat(checkpoint)).toBeNull();
  });

  it('whose marker goes or changes while the coordinator runs loses nothing until it is back', async () => {
    const folder = newFolder();
    await using harness = await startOn(folder);
    const marker = readFileSync(join(folder, MARKER));
    const artifacts = new DirectoryArtifactStore(folder);
    for (const now of [null, marker.toString().replace(/"cluster_id": "[^"]*"/, '"cluster_id": "another"')]) {
      rmSync(join(folder, MARKER));
      if (now !== null) writeFileSync(join(folder, MARKER), now);
      await harness.coordinator.loops.passes(2);
      await artifacts.write(LOST, Buffer.from('x'));
      utimesSync(artifacts.localPath(LOST), 0, 0);
      await harness.coordinator.loops.passes(2);
      expect(await artifacts.stat(LOST)).not.toBeNull();
      writeFileSync(join(folder, MARKER), marker);
      await harness.coordinator.loops.passes(2);
      expect(await artifacts.stat(LOST)).toBeNull();
    }
  });
});
