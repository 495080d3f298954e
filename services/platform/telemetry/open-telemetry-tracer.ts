import { hostname } from 'node:os';
import { context, diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Context, Span as ApiSpan, SpanContext, Tracer as ApiTracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { Attributes, Span, SpanOptions, TraceFields, Tracer } from './tracer.ts';

/**
 * Time limit of one export. A collector is nearby; OpenTelemetry's 10 s would delay the end of every command while it
 * is unavailable.
 */
const EXPORT_TIMEOUT_MS = 2_000;
/** Time limit for sending the last spans; after it the process ends without them. */
const FLUSH_TIMEOUT_MS = 4_000;
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** Matches an invalid traceparent: zero IDs, or version ff (W3C Trace Context, section 3.2.2). */
const NO_TRACEPARENT = /^ff-|^..-0{32}-|^..-.{32}-0{16}-/;
const KINDS = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  consumer: SpanKind.CONSUMER,
} as const;

export interface TracingOptions {
  /** `service.name`, unless OTEL_SERVICE_NAME overrides it. */
  readonly service: string;
  /** Graft's version. */
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reports to the operator: unsupported settings, an unavailable collector. */
  readonly warn: (message: string) => void;
}

/**
 * A tracer on OpenTelemetry's SDK that sends OTLP over HTTP (protobuf). Endpoint, headers, sampler, limits, batches,
 * service name and resource attributes follow OpenTelemetry's own variables, which the SDK reads from the environment.
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
      warn(`traces are sent as http/protobuf; '${protocol}' of OTEL_EXPORTER_OTLP_PROTOCOL is not supported`);
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
    // `rpc/trace-calls.ts` reads and writes the headers.
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
    // The SDK reports a failure either to its logger or to the caller.
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

/** Emits each message once: otherwise an unavailable collector would be reported with every batch. */
function onceEach(warn: (message: string) => void): (message: string) => void {
  const reported = new Set<string>();
  return (message) => {
    const text = firstLine(message);
    if (reported.has(text)) return;
    reported.add(text);
    warn(`tracing: ${text}`);
  };
}

function warningsOnly(tell: (message: string) => void) {
  const ignore = (): void => undefined;
  return { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore };
}

/** The exporter reports errors as JSON that includes the stack. */
function firstLine(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // The message is not JSON.
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
