import { ConfigError } from '../config/read-config.ts';
import type { Logger } from '../telemetry/logger.ts';

/** BSD sysexits EX_CONFIG: the configuration can't be used. */
export const EXIT_CONFIG = 78;
/** 128 + SIGINT, as shells report it. */
export const EXIT_INTERRUPTED = 130;

export interface RunProcessOptions {
  readonly log: Logger;
  /** How long an orderly end may take before the process ends anyway, milliseconds. */
  readonly graceMs: number;
  /** For tests; `process` otherwise. */
  readonly signals?: NodeJS.EventEmitter;
  /** For tests; ends the process otherwise. */
  readonly exit?: (code: number) => void;
}

/**
 * Runs a service until its work ends or SIGTERM/SIGINT asks for an end. The first signal aborts `signal` and gives `work`
 * the grace time; a second one ends the process at once with 130. Sets `process.exitCode` and does not call
 * `process.exit` on the orderly way, so that logs are written out.
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
    // Only a forgotten handle can keep the process now; it must not outlive the grace time.
    setTimeout(() => exit(Number(process.exitCode ?? 0)), graceMs).unref();
  }
}
