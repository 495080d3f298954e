import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionConfig } from '../../../services/platform/config/connection-settings.ts';
import { ConfigError } from '../../../services/platform/config/read-config.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import type { RpcClient } from '../../../services/platform/rpc/client.ts';
import { RpcError } from '../../../services/platform/rpc/errors.ts';
import { CertificateFiles } from '../../../services/platform/rpc/security/certificate-files.ts';
import { clientSecurity } from '../../../services/platform/rpc/security/client-security.ts';
import { serverSecurity } from '../../../services/platform/rpc/security/server-security.ts';
import { createServer } from '../../../services/platform/rpc/server.ts';
import type { Handlers } from '../../../services/platform/rpc/server.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { SweepServiceService } from '../../../proto/gen/graft/v1/sweep_service.ts';
import type { WatchSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { TestAuthority, writeCertificate } from '../../support/certificates.ts';
import type { CertificatePaths } from '../../support/certificates.ts';

type SweepClient = RpcClient<typeof SweepServiceService>;

const log = createLogger('test', 'silent');
const HOUR_MS = 3_600_000;
const SERVER = { names: ['localhost'] };
const CLIENT = { names: ['trainer-1'] };
const EXPIRED = { from: new Date(Date.now() - 48 * HOUR_MS), to: new Date(Date.now() - HOUR_MS) };

let folder: string;
const cleanups: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-tls-'));
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

function file(path: string, setting: string) {
  return { path, setting };
}

function identity({ certificate, key }: CertificatePaths) {
  return { certificate: file(certificate, 'X_CERT'), key: file(key, 'X_KEY') };
}

function trust(name: string, ...authorities: readonly TestAuthority[]): string {
  const path = join(folder, `${name}.pem`);
  writeFileSync(path, authorities.map(({ certificate }) => certificate).join(''));
  return path;
}

/** Starts a service that replies to GetDataset, and a watch that emits an event whenever the test requests it. */
async function startService(paths: CertificatePaths, clientCa: string | null = null) {
  const gates = { next: (): void => undefined };
  const unexpected = (): never => {
    throw new Error('not expected in this test');
  };
  const handlers = new Proxy({} as Handlers<typeof SweepServiceService>, {
    get: (_target, name) => {
      if (name === 'getDataset') return () => Promise.resolve({ dataset: undefined });
      if (name !== 'watchSweep') return unexpected;
      return async function* watch(): AsyncGenerator<WatchSweepResponse> {
        for (let cursor = 1n; ; cursor += 1n) {
          yield { cursor, sweepId: '', runId: '', eventTime: undefined, event: undefined } as WatchSweepResponse;
          await new Promise<void>((resolve) => (gates.next = resolve));
        }
      };
    },
  });
  const tls = { ...identity(paths), clientCa: clientCa === null ? null : file(clientCa, 'X_CLIENT_CA') };
  const { credentials, certificateExpires } = serverSecurity(tls, log);
  const server = createServer({ log, credentials });
  server.addService(SweepServiceService, handlers);
  const port = await server.listen('localhost:0');
  cleanups.push(() => server.drain(0));
  return { address: `localhost:${port}`, port, sendNext: () => gates.next(), certificateExpires };
}

function connect(address: string, tls: Partial<ConnectionConfig['tls']> | null): SweepClient {
  const full = tls === null ? null : { ca: 'public', identity: null, serverName: null, ...tls };
  const security = clientSecurity({ tls: full, token: null, isInsecureAllowed: false }, [address], log);
  const client = createClient(SweepServiceService, { addresses: [address], retry: NO_RETRY, security });
  cleanups.push(() => client.close());
  return client;
}

function call(client: SweepClient): Promise<unknown> {
  return client.call.getDataset({ datasetId: 'd1', sweepId: '' }, { deadlineMs: 5_000 });
}

/** Returns the message of a call that finds no trusted coordinator. */
async function refusal(client: SweepClient): Promise<string> {
  const error: unknown = await call(client).then(
    () => 'answered',
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  expect(error).toMatchObject({ code: 'UNAVAILABLE' });
  return (error as RpcError).details;
}

/** Repeats calls until the change of the files has taken effect; they are polled every two seconds. */
async function answered(client: () => SweepClient): Promise<void> {
  await expect.poll(() => call(client()), { timeout: 10_000, interval: 200 }).toBeDefined();
}

describe('TLS', () => {
  it('needs both sides, and a trusted certificate with the name of the coordinator', async () => {
    const authority = new TestAuthority();
    const { address, port } = await startService(writeCertificate(folder, 'server', authority.issue(SERVER)));
    const ca = trust('ca', authority);
    await expect(call(connect(address, { ca }))).resolves.toEqual({ dataset: undefined });
    await refusal(connect(address, null));
    expect(await refusal(connect(address, { ca: trust('other', new TestAuthority()) }))).toMatch(
      /certificate|signature/,
    );
    expect(await refusal(connect(address, { ca: 'public' }))).toMatch(/certificate/);
    const byAddress = `127.0.0.1:${port}`;
    expect(await refusal(connect(byAddress, { ca }))).toContain("IP: 127.0.0.1 is not in the cert's list");
    await expect(call(connect(byAddress, { ca, serverName: 'localhost' }))).resolves.toBeDefined();
  });

  it('refuses an expired certificate of the coordinator', async () => {
    const authority = new TestAuthority();
    const expired = authority.issue({ ...SERVER, ...EXPIRED });
    const { address } = await startService(writeCertificate(folder, 'server', expired));
    expect(await refusal(connect(address, { ca: trust('ca', authority) }))).toContain('certificate has expired');
  });

  it('requires a client certificate if an authority for clients is set', async () => {
    const authority = new TestAuthority();
    const clients = new TestAuthority('Clients');
    const server = writeCertificate(folder, 'server', authority.issue(SERVER));
    const { address } = await startService(server, trust('clients', clients));
    const ca = trust('ca', authority);
    const issue = (name: string, issued = clients.issue(CLIENT)) => writeCertificate(folder, name, issued);
    await expect(call(connect(address, { ca, identity: issue('good') }))).resolves.toBeDefined();
    await refusal(connect(address, { ca }));
    await refusal(connect(address, { ca, identity: issue('foreign', new TestAuthority().issue(CLIENT)) }));
    await refusal(connect(address, { ca, identity: issue('expired', clients.issue({ ...CLIENT, ...EXPIRED })) }));
  });
});

describe('rotation without a restart', () => {
  it(
    'of the coordinator: new connections see the new certificate, a stream in progress continues',
    { timeout: 20_000 },
    async () => {
      const [before, after] = [new TestAuthority('Before'), new TestAuthority('After')];
      const { address, sendNext, certificateExpires } = await startService(
        writeCertificate(folder, 'server', before.issue(SERVER)),
      );
      const beforeOnly = trust('before', before);
      const events = connect(address, { ca: beforeOnly })
        .call.watchSweep({ sweepId: 's1', cursor: 0n })
        [Symbol.asyncIterator]();
      expect((await events.next()).value).toMatchObject({ cursor: 1n });
      const expiredBefore = certificateExpires();
      writeCertificate(folder, 'server', after.issue({ ...SERVER, to: new Date(Date.now() + HOUR_MS) }));
      const afterOnly = trust('after', after);
      await answered(() => connect(address, { ca: afterOnly }));
      await refusal(connect(address, { ca: beforeOnly }));
      expect(certificateExpires()?.getTime()).toBeLessThan(expiredBefore?.getTime() ?? 0);
      sendNext();
      expect((await events.next()).value).toMatchObject({ cursor: 2n });
      await events.return?.();
    },
  );

  it('of a client: its trusted authorities and its certificate', { timeout: 20_000 }, async () => {
    const authority = new TestAuthority();
    const clients = new TestAuthority('Clients');
    const server = writeCertificate(folder, 'server', authority.issue(SERVER));
    const { address } = await startService(server, trust('clients', clients));
    const shown = writeCertificate(folder, 'client', clients.issue({ ...CLIENT, ...EXPIRED }));
    const ca = trust('trusted', new TestAuthority());
    const client = connect(address, { ca, identity: shown });
    await refusal(client);
    writeCertificate(folder, 'client', clients.issue(CLIENT));
    trust('trusted', authority);
    await answered(() => client);
  });

  it('ignores an incomplete change: certificate and key change together', async () => {
    const authority = new TestAuthority();
    const paths = writeCertificate(folder, 'server', authority.issue(SERVER));
    const files = new CertificateFiles({ identity: identity(paths), ca: null, log });
    const seen: (string | undefined)[] = [];
    files.addIdentityCertificateListener((update) => void seen.push(update?.certificate.toString()));
    const next = authority.issue(SERVER);
    writeFileSync(paths.certificate, next.certificate);
    expect(await files.reload()).toBe(false);
    writeFileSync(paths.key, 'half a ');
    expect(await files.reload()).toBe(false);
    rmSync(paths.key);
    expect(await files.reload()).toBe(false);
    expect(seen).toHaveLength(1);
    writeFileSync(paths.key, next.key);
    expect(await files.reload()).toBe(true);
    expect(await files.reload()).toBe(false);
    expect(seen[1]).toBe(next.certificate);
    expect(seen).toHaveLength(2);
  });
});

describe('files that can not be used', () => {
  const problemsOf = (act: () => unknown): string => {
    try {
      act();
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.join('\n');
    }
    return 'no problem';
  };

  it('are reported with their setting, all at once', () => {
    const authority = new TestAuthority();
    const paths = writeCertificate(folder, 'server', authority.issue(SERVER));
    const missing = join(folder, 'missing.pem');
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, '');
    const wrong = { certificate: file(empty, 'A'), key: file(missing, 'B') };
    const text = problemsOf(() => new CertificateFiles({ identity: wrong, ca: file(paths.key, 'C'), log }));
    expect(text.split('\n')).toEqual([
      expect.stringMatching(/^C: .*server\.key is not a PEM file of certificates: it has no block BEGIN CERTIFICATE/),
      expect.stringMatching(/^A: .*empty\.pem is not a PEM certificate/),
      expect.stringMatching(/^B: .*missing\.pem does not exist\.$/),
    ]);
    const other = writeCertificate(folder, 'other', authority.issue(SERVER));
    const mixed = { certificate: file(paths.certificate, 'A'), key: file(other.key, 'B') };
    expect(problemsOf(() => new CertificateFiles({ identity: mixed, ca: null, log }))).toMatch(
      /^B: .*other\.key is not the private key of the certificate in .*server\.crt/,
    );
  });
});
