import { ConfigError } from '../config/read-config.ts';
import type { Logger } from '../telemetry/logger.ts';

/** Exit code EX_CONFIG of BSD sysexits: invalid configuration. */
export const EXIT_CONFIG = 78;
/** Exit code 128 + SIGINT, as shells report it. */
export const EXIT_INTERRUPTED = 130;

export interface RunProcessOptions {
  readonly log: Logger;
  /** Maximum time for an orderly end, milliseconds; then the process exits. */
  readonly graceMs: number;
  /** Replaces `process` in tests. */
  readonly signals?: NodeJS.EventEmitter;
  /** Replaces `process.exit` in tests. */
  readonly exit?: (code: number) => void;
}

/**
 * Runs a service until its work ends, or SIGTERM or SIGINT asks for an end. The first signal aborts `signal` and starts the grace
 * time; a second one exits at once with code 130. An orderly end sets `process.exitCode` without calling `process.exit`, so that
 * logs are flushed.
 */
export async function runProcess(
  options: RunProcessOptions,
  work: (signal: AbortSignal) => Promise<number | void>,
): Promise<void> {
  const { log, graceMs } = options;
  const signals = options.signals ?? process;
  const exit = options.exit ?? ((code: number): void => process.exit(code));
  const controller = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  const onSignal = (name: string): void => {
    if (controller.signal.aborted) {
      log.warn({ signal: name }, 'second signal: ending at once');
      exit(EXIT_INTERRUPTED);
      return;
    }
    log.info({ signal: name, grace_ms: graceMs }, 'ending in order; a second signal ends at once');
    deadline = setTimeout(() => {
      log.error({ grace_ms: graceMs }, 'did not end within the grace time');
      exit(1);
    }, graceMs);
    deadline.unref();
    controller.abort(new Error(`received ${name}`));
  };
  const onTerm = (): void => onSignal('SIGTERM');
  const onInt = (): void => onSignal('SIGINT');
  signals.on('SIGTERM', onTerm);
  signals.on('SIGINT', onInt);
  try {
    const code = await work(controller.signal);
    process.exitCode = code ?? 0;
  } catch (error) {
    log.fatal({ err: error }, 'ended by an error');
    process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
  } finally {
    clearTimeout(deadline);
    signals.off('SIGTERM', onTerm);
    signals.off('SIGINT', onInt);
    // Only a leaked handle can keep the process alive now, and for the grace time at most.
    setTimeout(() => exit(Number(process.exitCode ?? 0)), graceMs).unref();
  }
}
