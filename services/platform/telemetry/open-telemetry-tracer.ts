import { hostname } from 'node:os';
import { context, diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Context, Span as ApiSpan, SpanContext, Tracer as ApiTracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { Attributes, Span, SpanOptions, TraceFields, Tracer } from './tracer.ts';

/** A collector is near. OpenTelemetry's 10 s would hold up the end of every command while it is away. */
const EXPORT_TIMEOUT_MS = 2_000;
/** For the last spans; then the process ends without them. */
const FLUSH_TIMEOUT_MS = 4_000;
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** All zeros are no identity; ff is no version (W3C Trace Context, section 3.2.2). */
const NO_TRACEPARENT = /^ff-|^..-0{32}-|^..-.{32}-0{16}-/;
const KINDS = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  consumer: SpanKind.CONSUMER,
} as const;

export interface TracingOptions {
  /** `service.name`, unless OTEL_SERVICE_NAME names another. */
  readonly service: string;
  /** Graft's version. */
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What an operator should hear: settings that can't be followed, a collector that is away. */
  readonly warn: (message: string) => void;
}

/**
 * Spans by OpenTelemetry's SDK, sent as OTLP over HTTP (protobuf). Endpoint, headers, sampler, limits, batches, service name
 * and resource attributes follow OpenTelemetry's own variables, which its SDK reads from the environment of the process.
 */
export class OpenTelemetryTracer implements Tracer {
  readonly isOn = true;
  readonly #provider: NodeTracerProvider;
  readonly #tracer: ApiTracer;
  readonly #tell: (message: string) => void;

  constructor({ service, version, env, warn }: TracingOptions) {
    this.#tell = onceEach(warn);
    diag.setLogger(warningsOnly(this.#tell), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
    const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/protobuf';
    if (protocol !== 'http/protobuf') {
      warn(`traces are sent as http/protobuf; '${protocol}' of OTEL_EXPORTER_OTLP_PROTOCOL can't be followed`);
    }
    const isTimeSet = env['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT'] || env['OTEL_EXPORTER_OTLP_TIMEOUT'];
    const exporter = new OTLPTraceExporter(isTimeSet ? {} : { timeoutMillis: EXPORT_TIMEOUT_MS });
    this.#provider = new NodeTracerProvider({
      resource: defaultResource()
        .merge(
          resourceFromAttributes({
            'service.name': service,
            'service.version': version,
            'host.name': hostname(),
            'process.pid': process.pid,
          }),
        )
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [new BatchSpanProcessor(exporter)],
    });
    // Headers are read and written by `rpc/trace-calls.ts`.
    this.#provider.register({ propagator: null });
    this.#tracer = this.#provider.getTracer('graft', version);
  }

  get active(): Span | null {
    const span = trace.getActiveSpan();
    return span === undefined ? null : new OpenTelemetrySpan(span, context.active());
  }

  startSpan(name: string, options: SpanOptions = {}): Span {
    const parent = options.parent === undefined ? context.active() : contextOf(options.parent);
    const { kind = 'internal', attributes = {} } = options;
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], attributes: { ...attributes } }, parent);
    return new OpenTelemetrySpan(span, trace.setSpan(parent, span));
  }

  async flush(): Promise<void> {
    // Sometimes the SDK tells its logger of a failure, sometimes its caller.
    await inTime(this.#provider.forceFlush().catch((error: unknown) => this.#tell(String(error))));
  }

  async shutdown(): Promise<void> {
    await this.flush();
    await inTime(this.#provider.shutdown().catch(() => undefined));
    trace.disable();
    context.disable();
    diag.disable();
  }
}

class OpenTelemetrySpan implements Span {
  readonly #span: ApiSpan;
  readonly #context: Context;

  constructor(span: ApiSpan, spanContext: Context) {
    this.#span = span;
    this.#context = spanContext;
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  }

  get fields(): TraceFields {
    const { traceId, spanId } = this.#span.spanContext();
    return { trace_id: traceId, span_id: spanId };
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes({ ...attributes });
  }

  event(name: string, attributes: Attributes = {}): void {
    this.#span.addEvent(name, { ...attributes });
  }

  fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    if (error instanceof Error) this.#span.setAttribute('error.type', error.name);
  }

  end(): void {
    this.#span.end();
  }

  run<T>(work: () => T): T {
    return context.with(this.#context, work);
  }
}

function contextOf(traceparent: string | null): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  if (NO_TRACEPARENT.test(traceparent ?? '')) return ROOT_CONTEXT;
  const remote: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, remote);
}

/** Each text once: a collector that is away would be told of with every batch. */
function onceEach(warn: (message: string) => void): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    const text = firstLine(message);
    if (told.has(text)) return;
    told.add(text);
    warn(`tracing: ${text}`);
  };
}

function warningsOnly(tell: (message: string) => void) {
  const ignore = (): void => undefined;
  return { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore };
}

/** The exporter tells of its errors as JSON with the stack in it. */
function firstLine(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // It is plain text.
  }
  return text.split('\n', 1)[0] ?? '';
}

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_TIMEOUT_MS);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
