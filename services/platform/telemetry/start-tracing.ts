import type { TracingOptions } from './open-telemetry-tracer.ts';
import { useTracer } from './tracer.ts';

/** Handle of the process's tracing; exists even if tracing is off. */
export interface Tracing extends AsyncDisposable {
  /** Sends the ended spans; those that can't be sent in time are dropped. Never rejects. */
  flush(): Promise<void>;
  /** Flushes, then stops tracing. Further calls do nothing. */
  stop(): Promise<void>;
}

const OFF: Tracing = {
  flush: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/** Variables that enable tracing: OpenTelemetry's own endpoints. */
const ENDPOINTS = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const;

function isTracingAsked({ env, warn }: TracingOptions): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return false;
  const name = ENDPOINTS.find((each) => (env[each] ?? '') !== '');
  if (name === undefined) return false;
  const endpoint = env[name] ?? '';
  if (/^https?:\/\//.test(endpoint) && URL.canParse(endpoint)) return true;
  // Otherwise the SDK would send to its default endpoint, which was not configured.
  warn(`${name} must be like http://collector:4318; received '${endpoint}'. Nothing is traced.`);
  return false;
}

/**
 * Starts tracing this process if the environment configures it. The OpenTelemetry packages are loaded only then (they
 * take 0.1 s), so a process without tracing has no cost.
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
