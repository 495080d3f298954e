import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../services/platform/config/read-config.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { describeConfig, readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { MigrationsPendingError, startCoordinator } from '../../../services/coordinator/coordinator.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { createTestDatabase } from '../../support/database.ts';
import type { TestDatabase } from '../../support/database.ts';
import { specOf, startHarness } from './harness.ts';

const MAIN = new URL('../../../services/coordinator/main.ts', import.meta.url).pathname;

describe('the configuration', () => {
  const url = 'postgresql://me:secret@db:5432/graft';

  it('has defaults, scales the times to the lease, and hides the password', () => {
    const config = readCoordinatorConfig({
      DATABASE_URL: url,
      GRAFT_STATE_DIR: '/state',
      GRAFT_COORDINATOR_LEASE_MS: '3000',
    });
    expect(config).toMatchObject({ listen: '127.0.0.1:50051', artifactsDir: '/state/artifacts' });
    expect(config.timing).toMatchObject({ leaseMs: 3000, heartbeatMs: 1000, reaperMs: 500 });
    expect(JSON.stringify(describeConfig(config))).not.toContain('secret');
  });

  it('answers all mistakes, unknown settings included', () => {
    const env = { GRAFT_COORDINATOR_LISTEN: 'here', GRAFT_COORDINATOR_LEASE: '3', GRAFT_LOG_LEVEL: 'loud' };
    const read = (): unknown => readCoordinatorConfig(env);
    expect(read).toThrow(ConfigError);
    for (const part of [
      /DATABASE_URL: must be set/,
      /GRAFT_COORDINATOR_LISTEN: must be host:port/,
      /GRAFT_COORDINATOR_LEASE: no such setting/,
      /GRAFT_LOG_LEVEL/,
    ]) {
      expect(read).toThrow(part);
    }
    expect(() => readCoordinatorConfig({ DATABASE_URL: url, GRAFT_COORDINATOR_HEARTBEAT_MS: '20000' })).toThrow(
      /half of the lease/,
    );
  });
});

describe('the process', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());
  const stateDir = mkdtempSync(join(tmpdir(), 'graft-service-test-'));
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        DATABASE_URL: database.url,
        GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
        GRAFT_STATE_DIR: stateDir,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  it('prints its settings without starting, or what is wrong with them and 78', async () => {
    const good = start(['--check-config']);
    const [output, ended] = await Promise.all([text(good.stdout), once(good, 'exit')]);
    expect(ended[0]).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ listen: '127.0.0.1:0' });
    const bad = start(['--check-config'], { DATABASE_URL: 'mysql://x' });
    const [errors, badEnd] = await Promise.all([text(bad.stderr), once(bad, 'exit')]);
    expect(badEnd[0]).toBe(78);
    expect(errors).toContain('must begin with postgresql://');
  });

  it('ends with 0 after SIGTERM', async () => {
    const child = start([]);
    let log = '';
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await expect.poll(() => log, { timeout: 30_000 }).toContain('coordinator started');
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect({ code, ended: log.includes('ending in order') }).toEqual({ code: 0, ended: true });
  });
});

describe('a coordinator', () => {
  it('refuses a database without its migrations, and says what to do', async () => {
    await using database = await createTestDatabase({ migrated: false });
    const config = readCoordinatorConfig({ DATABASE_URL: database.url, GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0' });
    const started = startCoordinator(config, createLogger('test', 'silent'));
    await expect(started).rejects.toThrow(MigrationsPendingError);
    await expect(started).rejects.toThrow(/graft migrate/);
  });

  it('is healthy and describes itself by reflection', async () => {
    await using harness = await startHarness();
    const client = new Client(harness.coordinator.address, credentials.createInsecure());
    try {
      expect(await unary(client, '/grpc.health.v1.Health/Check', Buffer.alloc(0))).toEqual(Buffer.from([8, 1]));
      const listing = await reflect(client, Buffer.concat([Buffer.from([58, 1]), Buffer.from('*')]));
      for (const name of ['graft.v1.SweepService', 'graft.v1.TrainerService', 'grpc.health.v1.Health']) {
        expect(listing.toString('latin1')).toContain(name);
      }
      const symbol = 'graft.v1.SweepService';
      const file = await reflect(client, Buffer.concat([Buffer.from([34, symbol.length]), Buffer.from(symbol)]));
      // With all it imports, or a client could not build the types.
      for (const name of ['graft/v1/sweep_service.proto', 'graft/v1/run.proto', 'google/protobuf/timestamp.proto']) {
        expect(file.toString('latin1')).toContain(name);
      }
    } finally {
      client.close();
    }
  });

  it('ends watches and long polls when it drains, and the next one continues with the same rows', async () => {
    let harness = await startHarness();
    try {
      const trainer = await harness.trainer('t1');
      const sweepId = await harness.submit(specOf());
      const task = await trainer.mustLease('INDEX');
      const watching = harness.watch(sweepId).then(
        () => 'ended',
        (error: unknown) => String(error),
      );
      const waiting = trainer.lease(0, 20_000).catch((error: unknown) => String(error));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const began = performance.now();
      harness = await harness.restart();
      expect(performance.now() - began).toBeLessThan(8_000);
      await watching;
      await waiting;
      const again = await harness.trainer('t1');
      again.takeOver(trainer);
      const [directive] = await again.heartbeat([task]);
      expect(directive?.command).toBe(0);
      await again.work(task);
      expect((await harness.sweeps.getSweep({ sweepId })).sweep?.datasetId).not.toBe('');
    } finally {
      await harness[Symbol.asyncDispose]();
    }
  });

  it('shares a database with another one, and only one of them runs the loops', async () => {
    await using harness = await startHarness();
    const config = readCoordinatorConfig({
      DATABASE_URL: harness.databaseUrl,
      GRAFT_ARTIFACTS_DIR: harness.artifacts.root,
      GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
      GRAFT_COORDINATOR_REAPER_MS: '50',
      GRAFT_COORDINATOR_RETENTION_MS: '50',
      GRAFT_COORDINATOR_ORPHAN_MS: '2000',
    });
    await harness.coordinator.loops.passes(1);
    await using second = await startCoordinator(config, createLogger('test', 'silent'));
    await second.loops.passes(1);
    const isHeld = (): Promise<unknown> =>
      harness.query('SELECT holder, expire_time > now() AS held FROM leader_leases');
    const before = await isHeld();
    expect(before).toEqual([{ holder: expect.stringMatching(/-/) as string, held: true }]);
    expect([harness.coordinator.loops.isLeader, second.loops.isLeader]).toEqual([true, false]);
    const client = createClient(SweepServiceService, { addresses: [second.address], retry: NO_RETRY });
    const { sweep } = await client.call.createSweep({ requestId: '', spec: sweepSpecToProto(specOf()) });
    client.close();
    // A task made by one wakes a trainer that waits at the other.
    const trainer = await harness.trainer('t1');
    expect((await trainer.mustLease('INDEX')).sweepId).toBe(sweep?.sweepId);
    await harness.coordinator.stop();
    // An orderly end hands the lease over at once.
    await second.loops.passes(2);
    expect(second.loops.isLeader).toBe(true);
    const after = await isHeld();
    expect(after).toEqual([{ holder: expect.stringMatching(/-/) as string, held: true }]);
    expect(after).not.toEqual(before);
  });
});

const raw = (value: Buffer): Buffer => value;

function unary(client: Client, path: string, request: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, raw, raw, request, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function reflect(client: Client, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const call = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', raw, raw);
    call.on('data', (response: Buffer) => {
      resolve(response);
      call.end();
    });
    call.on('error', reject);
    call.write(request);
  });
}
