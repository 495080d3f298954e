import { destination, pino } from 'pino';
import type { Logger } from 'pino';
import { redact } from './redact.ts';
import { tracer } from './tracer.ts';

export type { Logger } from 'pino';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/**
 * JSON lines on standard error, so that standard output stays for results. Secrets are cut out (`redact`). Lines that are written
 * in a span have its trace_id and span_id.
 */
export function createLogger(service: string, level: LogLevel = 'info'): Logger {
  return pino(
    {
      name: service,
      level,
      base: { service, pid: process.pid },
      mixin: () => tracer().active?.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      // The whole line, because secrets also stand deep inside, and in the messages of errors.
      hooks: { streamWrite: redact },
    },
    destination({ fd: 2, sync: true }),
  );
}
