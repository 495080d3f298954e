/**
 * Spans as the services use them. Without tracing (`start-tracing.ts`), all operations do nothing and no package is
 * loaded.
 */

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  /** Role of the span in its trace; default `internal`. */
  readonly kind?: 'internal' | 'client' | 'server' | 'consumer';
  readonly attributes?: Attributes;
  /**
   * W3C `traceparent` of the parent span in another process. null or malformed starts a new trace; undefined selects
   * the active span.
   */
  readonly parent?: string | null;
}

/** Identifiers of a span in log lines; empty without tracing. */
export interface TraceFields {
  readonly trace_id?: string;
  readonly span_id?: string;
}

/** An operation with a start and an end. */
export interface Span {
  /** W3C header that makes another process's spans children of this one; null without tracing. */
  readonly traceparent: string | null;
  readonly fields: TraceFields;
  set(attributes: Attributes): void;
  /** Adds an event at the current time. */
  event(name: string, attributes?: Attributes): void;
  /** Marks the operation as failed; the span still has to be ended. */
  fail(error: unknown): void;
  end(): void;
  /** Runs `work` with this span as the active one, including asynchronous continuations. */
  run<T>(work: () => T): T;
}

export interface Tracer {
  readonly isOn: boolean;
  /** The active span; null if there is none or tracing is off. */
  readonly active: Span | null;
  startSpan(name: string, options?: SpanOptions): Span;
}

const NO_SPAN: Span = {
  traceparent: null,
  fields: {},
  set: () => undefined,
  event: () => undefined,
  fail: () => undefined,
  end: () => undefined,
  run: (work) => work(),
};

const OFF: Tracer = { isOn: false, active: null, startSpan: () => NO_SPAN };

let current: Tracer = OFF;

/** Returns the tracer of this process. */
export function tracer(): Tracer {
  return current;
}

/** Sets the tracer; null turns tracing off. */
export function useTracer(next: Tracer | null): void {
  current = next ?? OFF;
}

/** Runs `work` in a new span, which ends with it; an error marks the span and is rethrown. */
export async function inSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const span = current.startSpan(name, options);
  try {
    return await span.run(() => work(span));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}
