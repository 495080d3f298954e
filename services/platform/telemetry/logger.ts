import { destination, pino } from 'pino';
import type { Logger } from 'pino';
import { redact } from './redact.ts';
import { tracer } from './tracer.ts';

export type { Logger } from 'pino';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/**
 * Creates a logger of JSON lines on standard error; standard output is reserved for results. Secrets are redacted
 * (`redact`). Lines written within a span carry its trace_id and span_id.
 */
export function createLogger(service: string, level: LogLevel = 'info'): Logger {
  return pino(
    {
      name: service,
      level,
      base: { service, pid: process.pid },
      mixin: () => tracer().active?.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      // The whole line, because secrets also occur in nested values and in error messages.
      hooks: { streamWrite: redact },
    },
    destination({ fd: 2, sync: true }),
  );
}
