import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import type { GraftPaths } from '../../platform/paths.ts';
import type { GraftClient } from '../client/client-port.ts';
import type { OutputFormat, TextStream } from '../terminal/output.ts';

/** Everything a command takes from the world. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly paths: GraftPaths;
  /** Results. */
  readonly stdout: TextStream;
  /** Everything else: progress, hints, errors. */
  readonly stderr: TextStream;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** For a command that has something to do at a second Ctrl-C. */
  readonly signals: { onSecond: (() => void) | null };
  /** For tests; `createGraftClient` otherwise. */
  readonly openClient?: (address: string, connection?: ConnectionConfig) => GraftClient;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly coordinator?: string;
  readonly tlsCa?: string;
  readonly tokenFile?: string;
  readonly insecure?: true;
  /** Name of the command, for example `sweep submit`. */
  readonly command: string;
  readonly output: OutputFormat;
}
