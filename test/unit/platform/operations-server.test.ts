import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { listenAddress, splitListenAddress } from '../../../services/platform/config/listen-address.ts';
import { startOperationsServer } from '../../../services/platform/http/operations-server.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';
import { Metrics } from '../../../services/platform/telemetry/metrics.ts';

const log = createLogger('test', 'silent');

function start(whyNotReady: () => Promise<string | null> | string | null, metrics = new Metrics()) {
  return startOperationsServer({ listen: '127.0.0.1:0', metrics, whyNotReady, log });
}

async function get(port: number, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

describe('the operations port', () => {
  it('always reports liveness, and readiness with the reason', async () => {
    let reason: string | null = 'the database does not answer';
    await using server = await start(() => reason);
    expect(await get(server.port, '/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    expect(await get(server.port, '/readyz')).toMatchObject({
      status: 503,
      text: 'not ready: the database does not answer\n',
    });
    reason = null;
    expect(await get(server.port, '/readyz?verbose')).toMatchObject({ status: 200, text: 'ready\n' });
  });

  it('does not wait for a readiness check that hangs', async () => {
    await using server = await start(() => new Promise<null>(() => undefined));
    expect(await get(server.port, '/readyz')).toMatchObject({
      status: 503,
      text: 'not ready: no response within 2 s\n',
    });
  });

  it('reports a check that throws as failed, without the error', async () => {
    await using server = await start(() => Promise.reject(new Error('password=secret')));
    const { status, text } = await get(server.port, '/readyz');
    expect(status).toBe(500);
    expect(text).not.toContain('secret');
  });

  it('returns metrics in the text format, collected at each scrape', async () => {
    const metrics = new Metrics();
    const depth = metrics.gauge({ name: 'test_depth', help: 'For the test.', labels: ['state'] });
    let looks = 0;
    metrics.beforeScrape(async () => {
      looks += 1;
      await Promise.resolve();
      depth.set({ state: 'READY' }, 10 * looks);
    });
    await using server = await start(() => null, metrics);
    const first = await get(server.port, '/metrics');
    expect(first.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(first.text).toContain('# TYPE test_depth gauge\ntest_depth{state="READY"} 10\n');
    expect(first.text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect((await get(server.port, '/metrics')).text).toContain('test_depth{state="READY"} 20\n');
  });

  it('refuses other paths and methods', async () => {
    await using server = await start(() => null);
    expect((await get(server.port, '/')).status).toBe(404);
    expect((await get(server.port, '/metrics', 'HEAD')).status).toBe(200);
    const post = await get(server.port, '/healthz', 'POST');
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('closes while a client holds its connection open', async () => {
    const server = await start(() => null);
    const client = request({ port: server.port, host: '127.0.0.1', path: '/healthz', method: 'POST' });
    client.on('error', () => undefined);
    await new Promise<void>((resolve) => client.once('socket', (socket) => socket.once('connect', () => resolve())));
    client.write('half a request');
    await server.stop();
    await server.stop();
    await expect(get(server.port, '/healthz')).rejects.toThrow();
  });
});

describe('listen addresses', () => {
  it.each([
    ['0.0.0.0:50051', { host: '0.0.0.0', port: 50_051 }],
    ['[::]:9464', { host: '::', port: 9_464 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('%s', (text, parts) => {
    expect(splitListenAddress(listenAddress().parse(text))).toEqual(parts);
  });

  it.each(['9464', 'host:', 'host:70000', 'http://host:1'])('refuses %s', (text) => {
    expect(listenAddress().safeParse(text).success).toBe(false);
  });
});
