import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { createAdminToken } from '../../../services/coordinator/create-admin-token.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { TestAuthority, writeCertificate } from '../../support/certificates.ts';
import { pythonWithGrpc } from '../../support/python-grpc.ts';
import { startHarness } from './harness.ts';

const CLIENT = fileURLToPath(new URL('guarded_client.py', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'graft-guarded-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a guarded port', () => {
  it('is used by clients in other languages with what every gRPC library has', { timeout: 60_000 }, async (test) => {
    const found = pythonWithGrpc();
    if ('reason' in found) return test.skip(found.reason);
    const [servers, clients] = [new TestAuthority('Servers'), new TestAuthority('Clients')];
    const [ca, clientCa] = [join(folder, 'servers.pem'), join(folder, 'clients.pem')];
    writeFileSync(ca, servers.certificate);
    writeFileSync(clientCa, clients.certificate);
    const server = writeCertificate(folder, 'server', servers.issue({ names: ['127.0.0.1', 'localhost'] }));
    const own = writeCertificate(folder, 'client', clients.issue({ names: ['client'] }));
    await using harness = await startHarness({
      env: {
        GRAFT_COORDINATOR_TLS_CERT: server.certificate,
        GRAFT_COORDINATOR_TLS_KEY: server.key,
        GRAFT_COORDINATOR_TLS_CLIENT_CA: clientCa,
      },
    });
    const token = await createAdminToken(harness.databaseUrl, 'first', createLogger('test', 'silent'));
    const good = { ca, ...own, token };
    const cases = [
      [good, 'OK'],
      [{ ...good, token: null }, 'UNAUTHENTICATED with details'],
      [{ ...good, token: `${token.slice(0, -1)}_` }, 'UNAUTHENTICATED with details'],
      [{ ...good, ca: clientCa }, 'UNAVAILABLE'],
      [{ ...good, certificate: null, key: null }, 'UNAVAILABLE'],
    ] as const;
    const args = [CLIENT, harness.coordinator.address, JSON.stringify(cases.map(([settings]) => settings))];
    const { stdout } = await promisify(execFile)(found.python, args);
    expect(JSON.parse(stdout)).toEqual(cases.map(([, outcome]) => outcome));
  });
});
