import { status } from '@grpc/grpc-js';
import { tracer } from '../telemetry/tracer.ts';
import type { Attributes, Span, TraceFields } from '../telemetry/tracer.ts';
import { toServiceError } from './errors.ts';
import type { CallContext, Interceptor } from './call-context.ts';

/** W3C Trace Context, as gRPC's own instrumentations send it. */
const HEADER = 'traceparent';
/** Statuses that are the server's fault; others are answers (OpenTelemetry's conventions for RPC). */
const FAULTS: ReadonlySet<number> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);
const fieldsOfCalls = new WeakMap<CallContext, TraceFields>();

/**
 * Starts a span for each call that carries a trace. A call without one begins a trace only if `beginsTrace` returns true:
 * heartbeats every ten seconds and reads of lists would flood the traces.
 */
export function traceCalls(beginsTrace: (path: string) => boolean): Interceptor {
  return async (context, next) => {
    const parent = context.metadata.get(HEADER)[0]?.toString() ?? null;
    if (!tracer().isOn || (parent === null && !beginsTrace(context.path))) {
      await next();
      return;
    }
    const span = tracer().startSpan(spanName(context.path), {
      kind: 'server',
      parent,
      attributes: attributesOf(context.path),
    });
    fieldsOfCalls.set(context, span.fields);
    try {
      await span.run(next);
      span.set({ 'rpc.grpc.status_code': status.OK });
    } catch (error) {
      const { code } = toServiceError(error);
      span.set({ 'rpc.grpc.status_code': code });
      if (FAULTS.has(code)) span.fail(error);
      throw error;
    } finally {
      span.end();
    }
  };
}

/** Returns the trace fields of a call, for log lines that are written after its span has ended. */
export function traceFieldsOf(context: CallContext): TraceFields {
  return fieldsOfCalls.get(context) ?? {};
}

/** Starts the span of an outgoing call; null outside a trace. */
export function startCallSpan(path: string): Span | null {
  if (tracer().active === null) return null;
  return tracer().startSpan(spanName(path), { kind: 'client', attributes: attributesOf(path) });
}

/** Returns the headers that let the server continue the trace. */
export function traceHeaders(span: Span | null): Readonly<Record<string, string>> {
  const traceparent = span?.traceparent ?? null;
  return traceparent === null ? {} : { [HEADER]: traceparent };
}

function spanName(path: string): string {
  return path.slice(1);
}

function attributesOf(path: string): Attributes {
  const [, service = '', method = ''] = path.split('/');
  return { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
}
