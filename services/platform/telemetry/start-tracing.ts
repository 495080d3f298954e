import type { TracingOptions } from './open-telemetry-tracer.ts';
import { useTracer } from './tracer.ts';

/** The process's tracing; also where it is off. */
export interface Tracing extends AsyncDisposable {
  /** Sends what has ended; what can't be sent in time is dropped. Never rejects. */
  flush(): Promise<void>;
  /** `flush`, then nothing is traced any more. Calling it again does no harm. */
  stop(): Promise<void>;
}

const OFF: Tracing = {
  flush: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Tracing is on when one of OpenTelemetry's own variables says where to send. */
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;

function isTracingAsked({ env, warn }: TracingOptions): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  const name = ENDPOINTS.find((each) => (env[each] ?? '') !== '');
  if (name === undefined) return false;
  const endpoint = env[name] ?? '';
  if (/^https?:\/\//.test(endpoint) && URL.canParse(endpoint)) return true;
  // The SDK would send to its default instead, which nobody asked for.
  warn(`${name} must be like http://collector:4318; received '${endpoint}'. Nothing is traced.`);
  return false;
}

/**
 * Begins to trace this process where the environment asks for it. The OpenTelemetry packages are loaded only then (they take
 * a tenth of a second), so a process without tracing pays nothing.
 */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  if (!isTracingAsked(options)) return OFF;
  const { OpenTelemetryTracer } = await import('./open-telemetry-tracer.ts');
  const tracer = new OpenTelemetryTracer(options);
  useTracer(tracer);
  const stop = async (): Promise<void> => {
    useTracer(null);
    await tracer.shutdown();
  };
  return { flush: () => tracer.flush(), stop, [Symbol.asyncDispose]: stop };
}
