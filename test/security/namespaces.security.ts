import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { nodeCommand } from '../../services/cli/cluster/node-command.ts';
import { newToken } from '../../services/coordinator/new-token.ts';
import { EXIT_CONFIG } from '../../services/platform/lifecycle/run-process.ts';
import { TestAuthority, writeCertificate } from '../support/certificates.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { COORDINATOR_FOR, Networks, reasonToSkip } from './networks.ts';
import type { Machine } from './networks.ts';
import type { Attempt, Outcome } from './probe.ts';

const PORT = 50_051;
const NAME = 'coordinator.test';
const HOUR_MS = 3_600_000;
const EXPIRED = { from: new Date(Date.now() - 48 * HOUR_MS), to: new Date(Date.now() - HOUR_MS) };

const reason = reasonToSkip();

describe.skipIf(reason !== null)(`three machines with TLS and tokens (${reason ?? 'network namespaces'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-namespaces-'));
  const children: ChildProcess[] = [];
  const tokens = { admin: '', submitter: '', viewer: '', trainer: '' };
  const servers = new TestAuthority('Servers');
  const clients = new TestAuthority('Clients');
  let networks: Networks;
  let coordinator: ChildProcess;
  let databaseUrl: string;

  const path = (name: string): string => join(folder, name);

  /** Returns the connection settings of every client of the coordinator. */
  function connection(machine: 'client' | 'trainer', token: string | null): Record<string, string> {
    return {
      GRAFT_COORDINATOR: `${COORDINATOR_FOR[machine]}:${PORT}`,
      GRAFT_TLS_CA: path('servers.pem'),
      GRAFT_TLS_CERT: path(`${machine}.crt`),
      GRAFT_TLS_KEY: path(`${machine}.key`),
      GRAFT_TLS_SERVER_NAME: NAME,
      ...(token === null ? {} : { GRAFT_TOKEN: token }),
    };
  }

  const coordinatorEnv = (): Record<string, string> => ({
    DATABASE_URL: databaseUrl,
    GRAFT_COORDINATOR_LISTEN: `0.0.0.0:${PORT}`,
    GRAFT_COORDINATOR_TLS_CERT: path('server.crt'),
    GRAFT_COORDINATOR_TLS_KEY: path('server.key'),
    GRAFT_COORDINATOR_TLS_CLIENT_CA: path('clients.pem'),
    GRAFT_ARTIFACTS_DIR: path('artifacts'),
    GRAFT_STATE_DIR: path('coordinator'),
  });

  function start(
    machine: Machine,
    command: readonly string[],
    env: Record<string, string>,
    log?: string,
  ): ChildProcess {
    const [program, ...args] = networks.on(machine, command);
    const errors = log === undefined ? 'pipe' : openSync(path(log), 'a');
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'], HOME: folder, ...env },
      stdio: ['pipe', 'pipe', errors],
    });
    children.push(child);
    return child;
  }

  async function run(machine: Machine, command: readonly string[], env: Record<string, string>) {
    const child = start(machine, command, env);
    const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
    if (child.exitCode === null) await once(child, 'exit');
    return { code: child.exitCode, stdout, stderr };
  }

  function graft(token: string | null, ...args: readonly string[]) {
    return run('client', [...nodeCommand('cli/main'), ...args], { ...connection('client', token) });
  }

  async function makeToken(role: string): Promise<string> {
    const made = await graft(tokens.admin, 'token', 'create', role, '--role', role);
    expect(made.code, made.stderr).toBe(0);
    return made.stdout.trim();
  }

  async function probe(...attempts: readonly Attempt[]): Promise<readonly Outcome[]> {
    const program = fileURLToPath(new URL('probe.ts', import.meta.url));
    const command = [process.execPath, '--import', import.meta.resolve('tsx'), program, JSON.stringify(attempts)];
    const { stdout, stderr } = await run('client', command, {});
    expect(stderr).toBe('');
    return JSON.parse(stdout) as readonly Outcome[];
  }

  async function statusNow(env: Record<string, string> = connection('client', tokens.viewer)): Promise<string> {
    const [outcome] = await probe({ method: 'ListSweeps', env });
    return `${outcome?.status ?? ''} ${outcome?.message ?? ''}`.trim();
  }

  /** Submits a sweep with a unique seed and follows it to its end. */
  async function trainSweep(seed: number): Promise<string> {
    writeFileSync(
      path('sweep.yaml'),
      `dataset: { path: ${path('data')} }\nseed: ${seed}\nbase: { weights: random, image_size: 32, epochs: 2, batch_size: 8 }\n` +
        'parameters: { head.units: [0, 4] }\n',
    );
    const submitted = await graft(tokens.submitter, 'sweep', 'submit', path('sweep.yaml'));
    expect(submitted.code, submitted.stderr).toBe(0);
    const watched = await graft(tokens.viewer, 'sweep', 'watch', 'latest');
    expect(watched.code, watched.stderr).toBe(0);
    return watched.stdout;
  }

  beforeAll(async () => {
    // The database runs under another account.
    chmodSync(folder, 0o755);
    networks = new Networks();
    await writeTinyDataset(path('data'));
    writeFileSync(path('servers.pem'), servers.certificate);
    writeFileSync(path('clients.pem'), clients.certificate);
    writeCertificate(folder, 'server', servers.issue({ names: [NAME] }));
    for (const name of ['client', 'trainer']) writeCertificate(folder, name, clients.issue({ names: [name] }));
    const program = fileURLToPath(new URL('database.ts', import.meta.url));
    const command = [process.execPath, '--import', import.meta.resolve('tsx'), program, path('postgres')];
    const database = start('coordinator', command, {}, 'database.log');
    const [line] = (await once(database.stdout!, 'data')) as [Buffer];
    databaseUrl = line.toString().trim();
    coordinator = start('coordinator', nodeCommand('coordinator/main'), coordinatorEnv(), 'coordinator.log');
    const creation = ['--create-admin-token', 'first'];
    const made = await run('coordinator', [...nodeCommand('coordinator/main'), ...creation], coordinatorEnv());
    expect(made.code, made.stderr).toBe(0);
    tokens.admin = made.stdout.trim();
    const isUp = async (): Promise<void> => expect(await statusNow(connection('client', tokens.admin))).toBe('OK');
    await vi.waitFor(isUp, { timeout: 60_000, interval: 200 });
    tokens.submitter = await makeToken('submitter');
    tokens.viewer = await makeToken('viewer');
    tokens.trainer = await makeToken('trainer');
    writeFileSync(path('trainer-token'), tokens.trainer);
    const trainerEnv = {
      ...connection('trainer', null),
      GRAFT_TOKEN_FILE: path('trainer-token'),
      GRAFT_TRAINER_ID: 'trainer-1',
      GRAFT_ARTIFACTS_DIR: path('artifacts'),
      GRAFT_STATE_DIR: path('trainer'),
      GRAFT_CACHE_DIR: process.env['GRAFT_CACHE_DIR'] ?? path('cache'),
      GRAFT_SLOTS: '1',
      GRAFT_SLOT_THREADS: '1',
    };
    start('trainer', nodeCommand('trainer/main'), trainerEnv, 'trainer.log');
  });

  afterAll(async () => {
    // The database starts first and ends last.
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      if (child === children[0]) child.stdin?.end();
      else child.kill('SIGTERM');
      await exited;
    }
    networks[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('a sweep runs', async () => {
    expect(await trainSweep(1)).toMatch(/test \d .* accuracy/);
  });

  it('each unauthorised caller gets the right status', async () => {
    const good = connection('client', tokens.viewer);
    const wrong = clients.issue({ names: ['client'], ...EXPIRED });
    const expired = writeCertificate(folder, 'expired', wrong);
    const withoutCertificate = { ...good, GRAFT_TLS_CERT: '', GRAFT_TLS_KEY: '' };
    const outcomes = await probe(
      { method: 'ListSweeps', env: good },
      { method: 'ListSweeps', env: connection('client', newToken().secret) },
      { method: 'ListSweeps', env: connection('client', null) },
      { method: 'CreateSweep', env: good },
      { method: 'CreateSweep', env: connection('client', tokens.trainer) },
      { method: 'ListSweeps', env: connection('client', tokens.trainer) },
      { method: 'CreateSweep', env: connection('client', tokens.submitter) },
      { method: 'ListSweeps', env: { ...good, GRAFT_TLS_CERT: expired.certificate, GRAFT_TLS_KEY: expired.key } },
      { method: 'ListSweeps', env: withoutCertificate },
      { method: 'ListSweeps', env: { ...good, GRAFT_TLS_CA: path('clients.pem') } },
      { method: 'ListSweeps', env: { GRAFT_COORDINATOR: good['GRAFT_COORDINATOR']! } },
      { method: 'ListSweeps', env: { GRAFT_COORDINATOR: good['GRAFT_COORDINATOR']!, GRAFT_TOKEN: tokens.viewer } },
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      'OK',
      'UNAUTHENTICATED',
      'UNAUTHENTICATED',
      'PERMISSION_DENIED',
      'PERMISSION_DENIED',
      'PERMISSION_DENIED',
      // An authorised caller gets as far as the mistakes in the spec.
      'INVALID_REQUEST',
      'UNAVAILABLE',
      'UNAVAILABLE',
      'UNAVAILABLE',
      'UNAVAILABLE',
      // The call is never sent: the token would be readable in transit.
      'THROWN',
    ]);
    expect(outcomes[3]?.message).toContain(
      "CreateSweep needs a token with the role SUBMITTER; this one's role is VIEWER.",
    );
    expect(outcomes[4]?.message).toContain("this one's role is TRAINER.");
    expect(outcomes[9]?.message).toMatch(/certificate|signature/);
    expect(outcomes[11]?.message).toContain('GRAFT_TLS_CA: is needed');
    for (const { message } of outcomes) for (const token of Object.values(tokens)) expect(message).not.toContain(token);
  });

  it('the client reaches only the gRPC port, neither the database nor the trainer', async () => {
    const port = Number(new URL(databaseUrl).port);
    const script = `
      const { connect } = require('node:net');
      const can = (host, port) => new Promise((resolve) => {
        const socket = connect({ host, port, timeout: 2000 });
        socket.on('connect', () => resolve('open')).on('timeout', () => resolve('no answer'));
        socket.on('error', ({ code }) => resolve(code));
      });
      Promise.all([can('${COORDINATOR_FOR.client}', ${PORT}), can('${COORDINATOR_FOR.client}', ${port}), can('10.231.2.2', 22)])
        .then((all) => { console.log(all.join(' ')); process.exit(); });`;
    const { stdout } = await run('client', [process.execPath, '-e', script], {});
    expect(stdout.trim()).toBe('open ECONNREFUSED ENETUNREACH');
  });

  it('certificates are rotated without a restart, and an expired one is refused', async () => {
    const { pid } = coordinator;
    const next = new TestAuthority('Servers, next');
    writeCertificate(folder, 'server', servers.issue({ names: [NAME], ...EXPIRED }));
    await expect.poll(() => statusNow(), { timeout: 20_000 }).toMatch(/^UNAVAILABLE .*certificate has expired/);
    // The procedure: all processes trust both authorities, then the certificate changes, then the old authority is removed.
    writeFileSync(path('servers.pem'), servers.certificate + next.certificate);
    writeCertificate(folder, 'server', next.issue({ names: [NAME] }));
    await expect.poll(() => statusNow(), { timeout: 20_000 }).toBe('OK');
    writeFileSync(path('servers.pem'), next.certificate);
    expect(await statusNow()).toBe('OK');
    writeFileSync(path('old.pem'), servers.certificate);
    const old = { ...connection('client', tokens.viewer), GRAFT_TLS_CA: path('old.pem') };
    expect(await statusNow(old)).toMatch(/^UNAVAILABLE .*(certificate|signature)/);
    expect([coordinator.pid, coordinator.exitCode]).toEqual([pid, null]);
    await trainSweep(2);
  });

  it("a trainer's token is rotated while it works", async () => {
    const next = await makeToken('trainer');
    const listed = await graft(tokens.admin, 'token', 'list', '--output', 'json');
    const all = JSON.parse(listed.stdout) as readonly { token_id: string; role: string }[];
    const [, before] = all.filter(({ role }) => role === 'TRAINER');
    writeFileSync(path('trainer-token'), next);
    expect((await graft(tokens.admin, 'token', 'revoke', before!.token_id)).code).toBe(0);
    const env = connection('client', tokens.trainer);
    await expect.poll(() => statusNow(env), { timeout: 20_000 }).toMatch(/^UNAUTHENTICATED .*was revoked/);
    await trainSweep(3);
  });

  it('a coordinator does not listen beyond loopback without TLS and tokens', async () => {
    const env = { DATABASE_URL: databaseUrl, GRAFT_COORDINATOR_LISTEN: '0.0.0.0:50052' };
    const { code, stderr } = await run('coordinator', nodeCommand('coordinator/main'), env);
    expect(code).toBe(EXIT_CONFIG);
    expect(stderr).toContain('0.0.0.0:50052 can be reached from other machines, which needs TLS');
  });

  it('no log contains a token or the password of the database', () => {
    const secrets = [...Object.values(tokens), decodeURIComponent(new URL(databaseUrl).password)];
    for (const name of ['coordinator.log', 'trainer.log']) {
      const log = readFileSync(path(name), 'utf8');
      expect(log.length).toBeGreaterThan(100);
      for (const secret of secrets) expect(log).not.toContain(secret.replace(/^graft_/, ''));
    }
  });
});
