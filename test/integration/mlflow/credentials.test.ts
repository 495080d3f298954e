import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCoordinatorConfig } from '../../../services/coordinator/config.ts';
import { MlflowClient } from '../../../services/platform/mlflow/mlflow-client.ts';
import { MlflowTransport } from '../../../services/platform/mlflow/transport.ts';
import { ScriptedMlflow } from './scripted-mlflow.ts';

let folder: string;
let problem = '';

/** A self-signed certificate for localhost. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-mlflow-tls-'));
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  args.push('-addext', 'subjectAltName=DNS:localhost', '-keyout', 'key.pem', '-out', 'cert.pem');
  await promisify(execFile)('openssl', args, { cwd: folder }).catch((error: unknown) => {
    problem = `no certificate could be made: ${String(error)}`;
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Asks a server for an experiment with the settings of a coordinator. */
async function ask(url: string, settings: Readonly<Record<string, string>>): Promise<unknown> {
  const { mlflow } = readCoordinatorConfig({
    DATABASE_URL: 'postgresql://localhost/none',
    GRAFT_MLFLOW_TRACKING_URI: url,
    ...settings,
  });
  if (mlflow === null) throw new Error('a tracking URI was set');
  await using transport = new MlflowTransport(mlflow.server);
  return await new MlflowClient(mlflow.server, transport, new AbortController().signal).findExperiment('none');
}

test('the certificate of a CA of one’s own is trusted where it is named, and only there', async (context) => {
  if (problem !== '') return context.skip(problem);
  const [key, cert] = await Promise.all(['key.pem', 'cert.pem'].map((name) => readFile(join(folder, name))));
  await using mlflow = await ScriptedMlflow.start({
    listen: (listener) => createServer({ key, cert }, listener),
  });
  await expect(ask(mlflow.url, {})).rejects.toMatchObject({
    kind: 'UNAVAILABLE',
    code: 'UNREACHABLE',
    message: expect.stringMatching(/self-signed certificate/) as string,
  });
  expect(mlflow.requests).toEqual([]);
  expect(await ask(mlflow.url, { GRAFT_MLFLOW_CA_FILE: join(folder, 'cert.pem') })).toBeNull();
  expect(mlflow.requests).toHaveLength(1);
});

test.each([
  [{}, undefined],
  [
    { GRAFT_MLFLOW_USERNAME: 'ana', GRAFT_MLFLOW_PASSWORD: 'pä:ss' },
    `Basic ${Buffer.from('ana:pä:ss').toString('base64')}`,
  ],
  [{ GRAFT_MLFLOW_TOKEN: 'secret' }, 'Bearer secret'],
])('credentials %j', async (settings, expected) => {
  await using mlflow = await ScriptedMlflow.start();
  await ask(`${mlflow.url}/`, settings);
  expect(mlflow.requests.map(({ headers, path }) => [headers.authorization, path])).toEqual([
    [expected, 'mlflow/experiments/get-by-name'],
  ]);
});
