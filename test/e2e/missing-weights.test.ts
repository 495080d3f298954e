import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolvePaths } from '../../services/platform/paths.ts';
import { TestAuthority } from '../support/certificates.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LocalCluster, eventually } from './support/local-cluster.ts';

const HOST = 'storage.googleapis.com';
const RESNET = 'resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5';
const VGG = 'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5';

/** A cluster whose only way out is a proxy to a server with the name of Keras' address, which has no file. */
let folder: string;
let files: Server;
let proxy: Server;
let cluster: LocalCluster;
const requests: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-e2e-weights-'));
  await writeTinyDataset(join(folder, 'data'));
  const cacheDir = join(folder, 'cache');
  mkdirSync(cacheDir);
  symlinkSync(join(resolvePaths(process.env).cacheDir, 'engine'), join(cacheDir, 'engine'));
  const authority = new TestAuthority();
  writeFileSync(join(folder, 'ca.pem'), authority.certificate);
  const { certificate, key } = authority.issue({ names: [HOST] });
  files = createTlsServer({ cert: certificate, key }, (request, response) => {
    requests.push(request.url ?? '');
    response.writeHead(404).end();
  });
  const filePort = await listen(files);
  proxy = createServer().on('connect', (_request, client) => {
    const upstream = connect(filePort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) socket.on('error', () => upstream.destroy());
  });
  const env = {
    HOME: folder,
    GRAFT_CACHE_DIR: cacheDir,
    HTTPS_PROXY: `http://127.0.0.1:${await listen(proxy)}`,
    NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
  };
  cluster = await LocalCluster.start({ env });
}, 120_000);

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  for (const server of [proxy, files]) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function sweepFile(variants: readonly string[]): string {
  const path = join(folder, `sweep-${variants.length}.yaml`);
  writeFileSync(
    path,
    [
      `dataset: { path: ${join(folder, 'data')} }`,
      'base: { image_size: 32, batch_size: 8, epochs: 1 }',
      'strategy: list',
      'variants:',
      ...variants.map((variant) => `  - ${variant}`),
    ].join('\n'),
  );
  return path;
}

it('names the missing weights of one of three bases first, trains the others, and asks for the file once', async () => {
  const file = sweepFile([
    '{ backbone: mobilenet, weights: random }',
    '{ backbone: vgg16 }',
    '{ backbone: vgg16, head.units: 8 }',
    '{ backbone: mobilenet_v2, weights: random }',
  ]);
  const plan = await cluster.cli(['sweep', 'plan', file]);
  expect(plan.stdout).toMatch(new RegExp(`weights of vgg16: a trainer will download https://${HOST}/.*${VGG}`));
  const submitted = await cluster.cli(['sweep', 'submit', file, '--watch']);
  expect(submitted.code, submitted.stderr).toBe(0);
  const runs = (await cluster.cliJson(['run', 'list', 'latest'])) as readonly { state: string; state_reason: string }[];
  expect(runs.map(({ state }) => state)).toEqual(['SUCCEEDED', 'FAILED', 'FAILED', 'SUCCEEDED']);
  const [, { state_reason: reason } = { state_reason: '' }] = runs;
  const url = `https://${HOST}/tensorflow/keras-applications/vgg16/${VGG}`;
  expect(reason).toContain(`The ImageNet weights of vgg16 are missing on host`);
  expect(reason).toContain(`${url} can't be downloaded: the server answered HTTP 404`);
  expect(reason).toContain(`put it at ${join(folder, '.keras', 'models', VGG)} (md5 6d6bbae143d832006294945121d1f1fc)`);
  expect(requests).toEqual([`/tensorflow/keras-applications/vgg16/${VGG}`]);
  const shown = await cluster.cli(['sweep', 'get', 'latest']);
  expect(shown.stdout).toContain('SUCCEEDED');
  const strict = await cluster.cli(['sweep', 'watch', 'latest', '--strict']);
  expect(strict.code).toBe(4);
  // The first run that fails says it, and the end, which counts both runs under one reason.
  const count = `${strict.stdout}${strict.stderr}`.split(url).length - 1;
  expect(count).toBe(2);
}, 200_000);

it('pauses a sweep of missing weights alone, names all of them, and does not repeat the downloads', async () => {
  requests.length = 0;
  const file = sweepFile(['{ backbone: vgg16 }', '{ backbone: resnet50 }']);
  expect((await cluster.cli(['sweep', 'submit', file])).code).toBe(0);
  const sweep = await eventually('the pause', 60_000, async () => {
    const found = (await cluster.cliJson(['sweep', 'get', 'latest'])) as { state: string; state_reason: string };
    return found.state === 'PAUSED' ? found : undefined;
  });
  for (const name of [VGG, RESNET]) {
    expect(sweep.state_reason).toContain(join(folder, '.keras', 'models', name));
  }
  expect(sweep.state_reason).toContain('Then resume the sweep.');
  expect(requests).toHaveLength(2);
}, 120_000);
