import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../services/platform/rpc/client.ts';
import { createServer } from '../../services/platform/rpc/server.ts';
import { traceCalls } from '../../services/platform/rpc/trace-calls.ts';
import { startTracing } from '../../services/platform/telemetry/start-tracing.ts';
import type { Tracing } from '../../services/platform/telemetry/start-tracing.ts';
import { inSpan, tracer } from '../../services/platform/telemetry/tracer.ts';
import { TrainerServiceService } from '../../proto/gen/graft/v1/trainer_service.ts';
import { freePort } from '../../services/platform/net/free-port.ts';
import { OtlpReceiver } from './support/otlp-receiver.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const warnings: string[] = [];

afterEach(() => {
  vi.unstubAllEnvs();
  warnings.length = 0;
});

/** Starts tracing with variables of the process, because the SDK reads those. */
function start(env: Readonly<Record<string, string>>): Promise<Tracing> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  return startTracing({ service: 'graft-test', version: '1.2.3', env, warn: (message) => warnings.push(message) });
}

async function receivedBy(env: Readonly<Record<string, string>>, work: () => Promise<void>) {
  await using receiver = await OtlpReceiver.start();
  const tracing = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, ...env });
  await work();
  await tracing.stop();
  return receiver.spans;
}

describe('a tracer', () => {
  it('continues the trace of another process, and starts one if the header is invalid', async () => {
    const parents = [
      `00-${TRACE}-${PARENT}-01`,
      null,
      'nonsense',
      `00-${'0'.repeat(32)}-${PARENT}-01`,
      `ff-${TRACE}-${PARENT}-01`,
    ];
    const spans = await receivedBy({}, async () => {
      for (const parent of parents) await inSpan('work', { parent }, () => Promise.resolve());
    });
    expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([PARENT, '', '', '', '']);
    expect(spans[0]?.traceId).toBe(TRACE);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(parents.length);
  });

  it('follows the decision of the sampler that the trace began with', async () => {
    let header: string | null = null;
    const spans = await receivedBy({}, async () => {
      await inSpan('unsampled', { parent: `00-${TRACE}-${PARENT}-00` }, async (span) => {
        header = span.traceparent;
        await inSpan('below', {}, () => Promise.resolve());
      });
    });
    expect(spans).toEqual([]);
    expect(header).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  });

  it("follows OpenTelemetry's variables: name, sampler", async () => {
    const named = await receivedBy({ OTEL_SERVICE_NAME: 'mine' }, async () => {
      await inSpan('work', {}, () => Promise.reject(new Error('broken'))).catch(() => undefined);
    });
    expect(named).toMatchObject([{ service: 'mine', isError: true, attributes: { 'error.type': 'Error' } }]);
    expect(
      await receivedBy({ OTEL_TRACES_SAMPLER: 'always_off' }, () => inSpan('work', {}, () => Promise.resolve())),
    ).toEqual([]);
  });

  it.each([
    ['no endpoint is set', {}],
    ['the SDK is disabled', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }],
    ['the exporter is none', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_EXPORTER: 'none' }],
  ])('is off when %s', async (_why, env) => {
    const tracing = await start(env);
    expect(tracer().isOn).toBe(false);
    expect(await inSpan('work', {}, (span) => Promise.resolve(span.traceparent))).toBeNull();
    await tracing.stop();
  });

  it.each(['collector:4318', 'not a url'])("is off, with a warning, when the endpoint is '%s'", async (endpoint) => {
    const tracing = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    expect(tracer().isOn).toBe(false);
    expect(warnings).toEqual([expect.stringContaining(`received '${endpoint}'`)]);
    await tracing.stop();
  });

  it('warns once of an unavailable collector, and delays no caller for long', async () => {
    const began = performance.now();
    const tracing = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    });
    for (let batch = 0; batch < 2; batch += 1) {
      await inSpan('work', {}, () => Promise.resolve());
      await tracing.flush();
    }
    await tracing.stop();
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(warnings).toEqual([
      expect.stringContaining("'grpc' of OTEL_EXPORTER_OTLP_PROTOCOL"),
      expect.stringContaining('ECONNREFUSED'),
    ]);
  });
});

describe('calls', () => {
  it('that fail log their trace; calls outside a trace have no span', async () => {
    const lines: Record<string, unknown>[] = [];
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    });
    const spans = await receivedBy({}, async () => {
      const unexpected = (): never => {
        throw new TypeError('a fault of ours');
      };
      const server = createServer({ log: pino(sink), interceptors: [traceCalls(() => false)] });
      const handlers = Object.fromEntries(Object.keys(TrainerServiceService).map((name) => [name, unexpected]));
      server.addService(TrainerServiceService, handlers as never);
      const port = await server.listen('127.0.0.1:0');
      using client = createClient(TrainerServiceService, { addresses: [`127.0.0.1:${port}`] });
      const beat = () => client.call.heartbeat({ trainerId: 't', trainerSecret: '', tasks: [], draining: false });
      await expect(beat()).rejects.toThrow();
      await inSpan('work', {}, () => expect(beat()).rejects.toThrow());
      await server.drain(0);
    });
    const server = spans.find(({ kind }) => kind === 2);
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      'graft.v1.TrainerService/Heartbeat',
      'graft.v1.TrainerService/Heartbeat',
      'work',
    ]);
    expect(server).toMatchObject({
      isError: true,
      attributes: { 'rpc.grpc.status_code': 13, 'rpc.method': 'Heartbeat' },
    });
    const failed = lines.filter(({ msg }) => msg === 'call failed');
    expect(failed.map((line) => line['trace_id'])).toEqual([undefined, server?.traceId]);
  });
});
