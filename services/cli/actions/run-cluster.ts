import { createGraftClient } from '../client/grpc-client.ts';
import { startLocalCluster } from '../cluster/local-cluster.ts';
import type { LocalCluster } from '../cluster/local-cluster.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { InterruptedError } from '../terminal/cli-errors.ts';
import { formatDuration } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';

/** Flags of every command that starts a cluster. */
export interface ClusterFlags {
  readonly trainers?: number;
  readonly slots?: number;
  readonly threads?: number;
  readonly port?: number;
  readonly databaseUrl?: string;
  readonly adoptStore?: true;
  readonly verbose?: true;
}

/** `graft up`. */
export async function runCluster(context: CliContext, options: GlobalOptions, flags: ClusterFlags): Promise<void> {
  const began = performance.now();
  const cluster = await startCluster(context, flags);
  const { address, databaseUrl, logDir } = cluster;
  writeResult(context, options, { address, databaseUrl, logDir }, () =>
    [
      `Graft is up after ${formatDuration(performance.now() - began)}.`,
      `  coordinator  ${address}`,
      `  database     ${databaseUrl}`,
      `  logs         ${logDir}`,
      `Submit a sweep with \`${GRAFT} sweep submit FILE\`. Ctrl-C stops everything in order, a second Ctrl-C at once.`,
    ].join('\n'),
  );
  await waitForInterrupt(context);
  await stopCluster(context, cluster);
}

/**
 * Starts a cluster from the flags of a command. Ctrl-C while it starts ends the parts that run already.
 *
 * @throws InterruptedError
 */
export async function startCluster(context: CliContext, flags: ClusterFlags): Promise<LocalCluster> {
  try {
    return await startLocalCluster({
      paths: context.paths,
      env: context.env,
      openClient: context.openClient ?? createGraftClient,
      trainers: flags.trainers ?? 1,
      slots: flags.slots ?? null,
      threadsPerSlot: flags.threads ?? null,
      port: flags.port ?? null,
      databaseUrl: flags.databaseUrl ?? (context.env['DATABASE_URL'] || null),
      adoptsStore: flags.adoptStore === true,
      onLogLine: flags.verbose === true ? (line): void => say(context, line) : null,
      say: (text) => say(context, text),
      signal: context.signal,
    });
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError();
    throw error;
  }
}

/** Stops a cluster in order; a second Ctrl-C kills it at once. */
export async function stopCluster(context: CliContext, cluster: LocalCluster): Promise<void> {
  const began = performance.now();
  say(context, 'stopping: trainers hand their tasks back, then the coordinator and PostgreSQL stop …');
  context.signals.onSecond = (): void => {
    say(context, 'stopping at once');
    cluster.kill();
  };
  await cluster.stop();
  context.signals.onSecond = null;
  say(context, `everything has stopped after ${formatDuration(performance.now() - began)}`);
}

/** Resolves at Ctrl-C, SIGTERM or the closing of the terminal. */
export function waitForInterrupt({ signal }: CliContext): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
