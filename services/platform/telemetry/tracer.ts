/**
 * Spans as the services see them. Without tracing (`start-tracing.ts`) everything here does nothing and no package is loaded.
 */

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  /** What the span is in its trace; `internal` if not given. */
  readonly kind?: 'internal' | 'client' | 'server' | 'consumer';
  readonly attributes?: Attributes;
  /**
   * W3C `traceparent` of another process, which this span goes on from. null or malformed: the beginning of a trace. If not
   * given, the active span is the parent.
   */
  readonly parent?: string | null;
}

/** Names of a span in log lines; empty where nothing is traced. */
export interface TraceFields {
  readonly trace_id?: string;
  readonly span_id?: string;
}

/** A piece of work with a beginning and an end. */
export interface Span {
  /** W3C header that makes another process's spans its children; null: nothing is traced. */
  readonly traceparent: string | null;
  readonly fields: TraceFields;
  set(attributes: Attributes): void;
  /** Something that happened at this moment. */
  event(name: string, attributes?: Attributes): void;
  /** The work has failed; its end is still to be told. */
  fail(error: unknown): void;
  end(): void;
  /** Does `work`, with this span as the active one, also in what it awaits. */
  run<T>(work: () => T): T;
}

export interface Tracer {
  readonly isOn: boolean;
  /** null: none, or nothing is traced. */
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

/** The tracer of this process. */
export function tracer(): Tracer {
  return current;
}

/** null: nothing is traced from now on. */
export function useTracer(next: Tracer | null): void {
  current = next ?? OFF;
}

/** Does `work` in a span of its own, which ends with it; an error marks the span and goes on. */
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
