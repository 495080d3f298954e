import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials as grpcCredentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PermissionDeniedError, RateLimitedError, UnauthenticatedError } from '../../../services/core/errors.ts';
import { createAdminToken } from '../../../services/coordinator/create-admin-token.ts';
import { newToken } from '../../../services/coordinator/new-token.ts';
import type { TokenConfig } from '../../../services/platform/config/connection-settings.ts';
import { Secret } from '../../../services/platform/config/secret.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import type { Calls } from '../../../services/platform/rpc/client.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { clientSecurity } from '../../../services/platform/rpc/security/client-security.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TokenRole, TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { RegisterTrainerRequest } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { Stage } from '../../../proto/gen/graft/v1/run.ts';
import { createGraftClient } from '../../../services/cli/client/grpc-client.ts';
import { runCli } from '../../../services/cli/cli.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

const log = createLogger('test', 'silent');

interface Connection {
  readonly sweeps: Calls<typeof SweepServiceService>;
  readonly trainers: Calls<typeof TrainerServiceService>;
  readonly tokens: Calls<typeof TokenServiceService>;
}

let harness: Harness;
let admin: Connection;
const closes: (() => void)[] = [];

beforeAll(async () => {
  harness = await startHarness({ env: { GRAFT_COORDINATOR_TOKENS: 'on' } });
  admin = connect({ value: new Secret(await createAdminToken(harness.databaseUrl, 'first', log)) });
});

afterAll(async () => {
  for (const close of closes) close();
  await harness[Symbol.asyncDispose]();
});

function connect(token: TokenConfig | null): Connection {
  const addresses = [harness.coordinator.address];
  const security = clientSecurity({ tls: null, token, isInsecureAllowed: false }, addresses, log);
  const options = { addresses, retry: NO_RETRY, security };
  const sweeps = createClient(SweepServiceService, options);
  const trainers = createClient(TrainerServiceService, options);
  const tokens = createClient(TokenServiceService, options);
  closes.push(() => [sweeps, trainers, tokens].forEach((client) => client.close()));
  return { sweeps: sweeps.call, trainers: trainers.call, tokens: tokens.call };
}

async function make(role: keyof typeof TokenRole, expireTime?: Date, trainerIds: string[] = []) {
  const request = { name: role, role: TokenRole[role], expireTime, trainerIds };
  const { token, secret } = await admin.tokens.createToken(request);
  return { tokenId: token?.tokenId ?? '', secret, ...connect({ value: new Secret(secret) }) };
}

function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

const CREATE_SWEEP = { requestId: '', spec: sweepSpecToProto(specOf()) };
const LIST_SWEEPS = { pageSize: 0, pageToken: '' };
const REGISTER: RegisterTrainerRequest = {
  store: undefined,
  recipeVersion: 0,
  stages: [],
  trainer: {
    trainerId: 'trainer-1',
    hostname: 'host',
    version: '0.1.0',
    engineVersion: '0',
    state: 'READY',
    slots: [
      {
        slotIndex: 0,
        deviceKind: 'cpu',
        deviceName: 'cpu',
        memoryBytes: 1n,
        threadCount: 1,
        benchReason: '',
        taskId: '',
        stage: Stage.UNSPECIFIED,
      },
    ],
    heartbeatTime: undefined,
    refusalCount: 0,
    drainReason: '',
  },
  trainerSecret: 'a'.repeat(43),
};

describe('tokens', () => {
  it.each([
    ['no token', null, /none was sent/],
    ['a token of another cluster', { value: new Secret(newToken().secret) }, /not one of this coordinator/],
    ['something else', { value: new Secret('hunter2hunter2') }, /must be `Bearer graft_…`/],
  ])('are asked for by every call: %s is refused', async (_what, token, text) => {
    const stranger = connect(token);
    const error = await errorOf(stranger.sweeps.listSweeps(LIST_SWEEPS));
    expect(error).toBeInstanceOf(UnauthenticatedError);
    expect(String(error)).toMatch(text);
    expect(String(error)).not.toContain('hunter2');
    expect(await errorOf(stranger.trainers.registerTrainer(REGISTER))).toBeInstanceOf(UnauthenticatedError);
    const watching = stranger.sweeps.watchSweep({ sweepId: 's1', cursor: 0n })[Symbol.asyncIterator]().next();
    expect(await errorOf(watching)).toBeInstanceOf(UnauthenticatedError);
  });

  it('allow the calls of their role, and the refusal names the required role', async () => {
    const [viewer, submitter, trainer] = [await make('VIEWER'), await make('SUBMITTER'), await make('TRAINER')];
    await viewer.sweeps.listSweeps(LIST_SWEEPS);
    const denied = await errorOf(viewer.sweeps.createSweep(CREATE_SWEEP));
    expect(denied).toBeInstanceOf(PermissionDeniedError);
    expect(denied).toMatchObject({ method: 'CreateSweep', role: 'VIEWER', neededRole: 'SUBMITTER' });
    expect(String(denied)).toContain("CreateSweep needs a token with the role SUBMITTER; this one's role is VIEWER.");
    await submitter.sweeps.createSweep(CREATE_SWEEP);
    await trainer.trainers.registerTrainer(REGISTER);
    for (const call of [
      () => trainer.sweeps.createSweep(CREATE_SWEEP),
      () => trainer.sweeps.listSweeps(LIST_SWEEPS),
      () => submitter.trainers.registerTrainer(REGISTER),
      () =>
        submitter.tokens.createToken({ name: 'mine', role: TokenRole.ADMIN, expireTime: undefined, trainerIds: [] }),
      () => submitter.tokens.listTokens(LIST_SWEEPS),
      () => submitter.sweeps.collectCheckpoints({ sweepId: '', keepBestCount: 0, dryRun: true }),
      () => submitter.sweeps.deleteSweep({ sweepId: 'nothing', dryRun: true }),
    ]) {
      expect(await errorOf(call())).toBeInstanceOf(PermissionDeniedError);
    }
  });

  it('let a submitter stop a run, under its name, and no viewer', async () => {
    const [viewer, submitter] = [await make('VIEWER'), await make('SUBMITTER')];
    const { sweep } = await submitter.sweeps.createSweep(CREATE_SWEEP);
    const request = { runId: `${sweep?.sweepId ?? ''}-r000`, reason: 'too slow' };
    expect(await errorOf(viewer.sweeps.stopRun(request))).toMatchObject({ method: 'StopRun', neededRole: 'SUBMITTER' });
    const { run } = await submitter.sweeps.stopRun(request);
    expect(run?.stateReason).toBe('stopped by a person (SUBMITTER): too slow');
  });

  it(
    'end for calls and for open streams within seconds of their revocation, or by themselves',
    { timeout: 20_000 },
    async () => {
      const { sweep } = await admin.sweeps.createSweep(CREATE_SWEEP);
      const viewer = await make('VIEWER');
      // One that ends by itself meanwhile.
      const guest = await make('VIEWER', new Date(Date.now() + 1_000));
      await guest.sweeps.listSweeps(LIST_SWEEPS);
      const watching = (async () => {
        const events = viewer.sweeps.watchSweep({ sweepId: sweep?.sweepId ?? '', cursor: 0n })[Symbol.asyncIterator]();
        while ((await events.next()).done !== true);
      })();
      const ended = errorOf(watching).then((error) => ({ error, at: performance.now() }));
      await viewer.sweeps.listSweeps(LIST_SWEEPS);
      const revokedAt = performance.now();
      const { token } = await admin.tokens.revokeToken({ tokenId: viewer.tokenId });
      expect(token?.revokeTime).toBeInstanceOf(Date);
      const { error, at } = await ended;
      expect(error).toBeInstanceOf(UnauthenticatedError);
      expect(String(error)).toContain('was revoked');
      expect(at - revokedAt).toBeLessThan(6_000);
      expect(await errorOf(viewer.sweeps.listSweeps(LIST_SWEEPS))).toBeInstanceOf(UnauthenticatedError);
      await expect
        .poll(() => errorOf(guest.sweeps.listSweeps(LIST_SWEEPS)), { timeout: 10_000 })
        .toMatchObject({ reason: 'UNAUTHENTICATED', message: expect.stringContaining('has expired') as string });
      // The first time of a revocation stays.
      const again = await admin.tokens.revokeToken({ tokenId: viewer.tokenId });
      expect(again.token?.revokeTime).toEqual(token?.revokeTime);
    },
  );

  it('are stored as hashes, with the time of their last use', async () => {
    const viewer = await make('VIEWER');
    await viewer.sweeps.listSweeps(LIST_SWEEPS);
    const rows = await harness.query<{ row: string; last_use_time: Date | null }>(
      'SELECT t::text AS row, last_use_time FROM tokens t WHERE token_id = $1',
      [viewer.tokenId],
    );
    expect(rows[0]?.row).not.toContain(viewer.secret.slice(6));
    expect(rows[0]?.last_use_time).toBeInstanceOf(Date);
    const { tokens } = await admin.tokens.listTokens({ pageSize: 1, pageToken: '' });
    expect(tokens).toMatchObject([{ tokenId: viewer.tokenId, role: TokenRole.VIEWER, name: 'VIEWER' }]);
    expect(JSON.stringify(tokens)).not.toContain(viewer.secret.slice(6));
  });

  it('are listed page by page, latest first', async () => {
    const ids: string[] = [];
    let pageToken = '';
    do {
      const page = await admin.tokens.listTokens({ pageSize: 2, pageToken });
      ids.push(...page.tokens.map(({ tokenId }) => tokenId));
      ({ nextPageToken: pageToken } = page);
    } while (pageToken !== '');
    const rows = await harness.query<{ token_id: string }>('SELECT token_id FROM tokens ORDER BY create_time DESC');
    expect(ids).toEqual(rows.map(({ token_id }) => token_id));
  });

  it('to be created are checked, all mistakes at once', async () => {
    const request = { name: ' ', role: TokenRole.UNSPECIFIED, expireTime: new Date(0), trainerIds: [] };
    expect(await errorOf(admin.tokens.createToken(request))).toMatchObject({
      violations: [{ field: 'name' }, { field: 'role' }, { field: 'expire_time' }],
    });
    expect(await errorOf(admin.tokens.revokeToken({ tokenId: 'tnone' }))).toMatchObject({ reason: 'NOT_FOUND' });
  });

  it('in a file may change while a client runs', { timeout: 10_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-token-'));
    closes.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'token');
    writeFileSync(file, newToken().secret);
    const client = connect({ file });
    expect(await errorOf(client.sweeps.listSweeps(LIST_SWEEPS))).toBeInstanceOf(UnauthenticatedError);
    writeFileSync(file, `${(await make('VIEWER')).secret}\n`);
    await expect.poll(() => errorOf(client.sweeps.listSweeps(LIST_SWEEPS)), { timeout: 5_000 }).toBeNull();
  });
});

describe('without a token', () => {
  it('health is answered, and reflection is not', async () => {
    const client = new Client(harness.coordinator.address, grpcCredentials.createInsecure());
    closes.push(() => client.close());
    const asIs = (bytes: Buffer): Buffer => bytes;
    const health = await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/grpc.health.v1.Health/Check', asIs, asIs, Buffer.alloc(0), (error, answer) => {
        if (error) reject(error);
        else resolve(answer);
      });
    });
    expect(health).toEqual(Buffer.from([8, 1]));
    for (const version of ['v1', 'v1alpha']) {
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      const stream = client.makeBidiStreamRequest(path, asIs, asIs);
      stream.on('data', () => undefined);
      stream.write(Buffer.concat([Buffer.from([58, 1]), Buffer.from('*')]));
      const [error] = (await once(stream, 'error').catch((reason: unknown) => [reason])) as [{ code: number }];
      expect(error.code).toBe(status.UNAUTHENTICATED);
    }
  });
});

it('tokens are not created by a coordinator that requires none', async () => {
  await using open = await startHarness({
    databaseUrl: harness.databaseUrl,
    env: { GRAFT_ARTIFACTS_DIR: harness.artifacts.root },
  });
  using client = createClient(TokenServiceService, { addresses: [open.coordinator.address], retry: NO_RETRY });
  const request = { name: 'eve', role: TokenRole.ADMIN, expireTime: undefined, trainerIds: [] };
  expect(await errorOf(client.call.createToken(request))).toMatchObject({
    reason: 'ILLEGAL_STATE',
    message: expect.stringContaining('GRAFT_COORDINATOR_TOKENS=on') as string,
  });
});

describe('limits', () => {
  it(
    'of a token are waited for as the coordinator says; a stranger who guesses is stopped',
    { timeout: 20_000 },
    async () => {
      await using other = await startHarness({
        databaseUrl: harness.databaseUrl,
        env: {
          GRAFT_ARTIFACTS_DIR: harness.artifacts.root,
          GRAFT_COORDINATOR_TOKENS: 'on',
          GRAFT_COORDINATOR_CALLS_PER_SECOND: '20',
        },
      });
      const { secret } = await make('VIEWER');
      const addresses = [other.coordinator.address];
      const security = clientSecurity(
        { tls: null, token: { value: new Secret(secret) }, isInsecureAllowed: false },
        addresses,
        log,
      );
      using client = createClient(SweepServiceService, { addresses, security });
      const errors = await Promise.all(
        Array.from({ length: 60 }, () => errorOf(client.call.listSweeps(LIST_SWEEPS, { retry: NO_RETRY }))),
      );
      const limited = errors.filter((error) => error instanceof RateLimitedError);
      expect(limited.length).toBeGreaterThan(5);
      expect(errors.filter((error) => error === null).length).toBeGreaterThanOrEqual(40);
      await expect(client.call.listSweeps(LIST_SWEEPS)).resolves.toBeDefined();
      const guesses: unknown[] = [];
      using stranger = createClient(SweepServiceService, { addresses, retry: NO_RETRY });
      const guess = (): Promise<unknown> => {
        const headers = { authorization: `Bearer ${newToken().secret}` };
        return errorOf(stranger.call.listSweeps(LIST_SWEEPS, { headers }));
      };
      // Many at once, so that a slow machine guesses faster than is allowed, too.
      while (guesses.length < 300 && !(guesses.at(-1) instanceof RateLimitedError)) {
        guesses.push(...(await Promise.all(Array.from({ length: 30 }, guess))));
      }
      expect(guesses[0]).toBeInstanceOf(UnauthenticatedError);
      expect(guesses.at(-1)).toBeInstanceOf(RateLimitedError);
      // Who has a good token is not stopped with them, though they come from the same address.
      await expect(client.call.listSweeps(LIST_SWEEPS)).resolves.toBeDefined();
    },
  );
});

describe('graft token', () => {
  async function graft(secret: string | null, ...args: readonly string[]) {
    const said = { out: '', err: '' };
    const code = await runCli(args, {
      env: { GRAFT_COORDINATOR: harness.coordinator.address, ...(secret === null ? {} : { GRAFT_TOKEN: secret }) },
      cwd: tmpdir(),
      paths: { cacheDir: tmpdir(), stateDir: tmpdir() },
      stdout: { write: (text) => (said.out += text) },
      stderr: { write: (text) => (said.err += text) },
      signal: new AbortController().signal,
      signals: { onSecond: null },
      openClient: createGraftClient,
    });
    return { code, ...said };
  }

  it('creates, lists and revokes tokens; refusals have an exit code of their own', async () => {
    const first = await createAdminToken(harness.databaseUrl, 'second', log);
    const made = await graft(first, 'token', 'create', 'ana', '--role', 'viewer', '--expires', '30');
    expect(made.code).toBe(0);
    const secret = made.out.trim();
    const tokenId = /^(t\w{9}): viewer ana\./.exec(made.err)?.[1] ?? '';
    expect((await graft(secret, 'sweep', 'list')).code).toBe(0);
    const listed = await graft(first, 'token', 'list');
    expect(listed.out).toMatch(new RegExp(`${tokenId} +ana +viewer .* live until`));
    expect(listed.out).not.toContain(secret.slice(6));
    const denied = await graft(secret, 'token', 'list');
    expect(denied).toMatchObject({ code: 6, out: '' });
    expect(denied.err).toContain('ListTokens needs a token with the role ADMIN');
    expect(await graft(null, 'sweep', 'list')).toMatchObject({
      code: 6,
      err: expect.stringContaining('Set GRAFT_TOKEN or GRAFT_TOKEN_FILE') as string,
    });
    // As of an unset shell variable; everything starts with it.
    expect(await graft(first, 'token', 'revoke', '')).toMatchObject({
      code: 2,
      err: expect.stringContaining('A token is required; received an empty string.') as string,
    });
    expect((await graft(first, 'token', 'revoke', tokenId)).out).toContain(`${tokenId} (ana) was revoked`);
    expect((await graft(first, 'token', 'list')).out).toMatch(new RegExp(`${tokenId} .* revoked`));
    expect((await graft(first, 'token', 'revoke', 'tnone')).code).toBe(3);
  });

  it('reports a bad connection before anything is sent', async () => {
    const secret = newToken().secret;
    const far = await graft(secret, 'sweep', 'list', '--coordinator', 'gpu.example.com:50051');
    expect(far.code).toBe(2);
    expect(far.err).toContain('the token would be sent unencrypted to gpu.example.com:50051');
    expect(far.err).not.toContain(secret);
    const both = await graft(secret, 'sweep', 'list', '--tls-ca', '/nowhere/ca.pem');
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining('GRAFT_TLS_CA: /nowhere/ca.pem') as string });
  });
});
