import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import type { GraftPaths } from '../../platform/paths.ts';
import type { GraftClient } from '../client/client-port.ts';
import type { OutputFormat, TextStream } from '../terminal/output.ts';
import type { ByteStream } from '../terminal/standard-stream.ts';

/** The environment of a command. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly paths: GraftPaths;
  /** Input of `-`; default: standard input of the process. */
  readonly stdin?: ByteStream;
  /** Output stream for results. */
  readonly stdout: TextStream;
  /** Output stream for progress, hints and errors. */
  readonly stderr: TextStream;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Handler of a second Ctrl-C; null: the process ends. */
  readonly signals: { onSecond: (() => void) | null };
  /** Replaces `createGraftClient` in tests. */
  readonly openClient?: (address: string, connection?: ConnectionConfig) => GraftClient;
}

/** Options that every command accepts. */
export interface GlobalOptions {
  readonly coordinator?: string;
  readonly tlsCa?: string;
  readonly tokenFile?: string;
  readonly insecure?: true;
  /** Name of the command, for example `sweep submit`. */
  readonly command: string;
  readonly output: OutputFormat;
}
