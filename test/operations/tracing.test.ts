import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { REPOSITORY } from '../e2e/support/local-cluster.ts';
import { OtlpReceiver } from './support/otlp-receiver.ts';
import type { ReceivedSpan } from './support/otlp-receiver.ts';
import { SmallCluster } from './support/small-cluster.ts';

const SWEEP = `
display_name: traced
dataset: { path: DATA }
base: { backbone: efficientnet_lite0, image_size: 32, batch_size: 8, epochs: 2 }
strategy: list
seed: 1
variants:
  - { head.units: 8 }
  - { head.units: 16 }
`;

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-tracing-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function writeSweep(): Promise<string> {
  await writeTinyDataset(join(folder, 'data'));
  const file = join(folder, 'sweep.yaml');
  writeFileSync(file, SWEEP.replace('DATA', join(folder, 'data')));
  return file;
}

function spansOf(receiver: OtlpReceiver, traceId: string): readonly ReceivedSpan[] {
  return receiver.spans.filter((span) => span.traceId === traceId);
}

describe('the trace of a sweep', { timeout: 120_000 }, () => {
  it('has one root, the command that submitted it, and goes through coordinator, trainer and worker', async () => {
    await using receiver = await OtlpReceiver.start();
    await using database = await createTestDatabase();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
    const artifacts = join(folder, 'artifacts');
    await using cluster = await SmallCluster.start({ databaseUrl: database.url, folder, artifacts, env });
    const { sweep } = await cluster.cliJson<{ sweep: { sweep_id: string } }>(['sweep', 'submit', await writeSweep()]);
    // The submission ends long before its trace.
    const root = receiver.spans.find(({ name }) => name === 'graft sweep submit')!;
    expect(root).toMatchObject({ service: 'graft-cli', parentSpanId: '', isError: false });
    const watched = await cluster.cli(['sweep', 'watch', sweep.sweep_id]);
    expect(watched.code, watched.stderr).toBe(0);
    const last = ['attempt EVALUATE', 'task EVALUATE', 'graft.v1.TrainerService/CompleteTask'];
    await expect
      .poll(() => spansOf(receiver, root.traceId).map(({ name }) => name), { timeout: 20_000 })
      .toEqual(expect.arrayContaining(last));

    const spans = spansOf(receiver, root.traceId);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parentOf = (span: ReceivedSpan | undefined) => byId.get(span?.parentSpanId ?? '');
    const find = (service: string, name: string) =>
      spans.find((span) => span.service === service && span.name === name);

    expect(spans.filter(({ parentSpanId }) => parentSpanId === '')).toEqual([root]);
    expect(spans.filter((span) => span !== root && parentOf(span) === undefined)).toEqual([]);
    expect(new Set(spans.map(({ service }) => service))).toEqual(
      new Set(['graft-cli', 'graft-coordinator', 'graft-trainer', 'graft-worker']),
    );
    expect(spans.filter(({ isError }) => isError)).toEqual([]);

    const created = find('graft-coordinator', 'graft.v1.SweepService/CreateSweep');
    expect(created?.attributes).toMatchObject({ 'graft.sweep_id': sweep.sweep_id, 'rpc.grpc.status_code': 0 });
    expect(parentOf(parentOf(created))).toBe(root);
    for (const stage of ['INDEX', 'FEATURES', 'HEAD', 'EVALUATE']) {
      const attempt = find('graft-trainer', `attempt ${stage}`);
      expect(parentOf(attempt), stage).toBe(created);
      expect(attempt?.attributes).toMatchObject({ 'graft.sweep_id': sweep.sweep_id, 'graft.attempt': 1 });
      expect(parentOf(find('graft-worker', `task ${stage}`)), stage).toBe(attempt);
    }
    const training = find('graft-trainer', 'attempt HEAD');
    expect(training?.events).toEqual(['epoch', 'epoch', 'epoch', 'epoch']);
    expect(parentOf(find('graft-worker', 'extract features'))?.name).toBe('task FEATURES');
    expect(parentOf(find('graft-worker', 'write checkpoint'))?.name).toBe('task HEAD');
    const registered = find('graft-coordinator', 'graft.v1.TrainerService/RegisterCheckpoint');
    expect(parentOf(parentOf(registered))).toBe(training);
    expect(spans.map(({ name }) => name)).not.toContain('graft.v1.TrainerService/Heartbeat');

    const begun = cluster.trainerLog().find((line) => line['msg'] === 'attempt begins' && line['stage'] === 'HEAD');
    expect(begun).toMatchObject({ trace_id: root.traceId, span_id: training?.spanId, sweep_id: sweep.sweep_id });
  });
});

describe('without a collector', () => {
  const reporter = `process.on('exit', () => {
    const loaded = Object.keys(require.cache).filter((path) => path.includes('@opentelemetry'));
    require('node:fs').writeFileSync(process.env.LOADED, JSON.stringify(loaded));
  });`;

  async function loadedBy(env: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const script = join(folder, 'reporter.cjs');
    const file = join(folder, 'loaded.json');
    writeFileSync(script, reporter);
    await promisify(execFile)(process.execPath, ['--require', script, 'services/cli/graft.js', '--help'], {
      cwd: REPOSITORY,
      env: { ...process.env, LOADED: file, ...env },
    });
    return JSON.parse(readFileSync(file, 'utf8')) as string[];
  }

  it('no OpenTelemetry package is loaded; with an endpoint they are', async () => {
    expect(await loadedBy({})).toEqual([]);
    const loaded = await loadedBy({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/v1/traces' });
    expect(loaded.length).toBeGreaterThan(10);
  });
});
