import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { InterruptedError } from '../terminal/cli-errors.ts';
import { startLocalCluster } from '../cluster/local-cluster.ts';
import type { LocalCluster } from '../cluster/local-cluster.ts';
import type { CliContext } from '../context/cli-context.ts';
import { formatDuration } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { globalOptions } from './client-command.ts';
import { GRAFT } from '../terminal/program-name.ts';

export interface ClusterFlags {
  readonly trainers?: number;
  readonly slots?: number;
  readonly threads?: number;
  readonly port?: number;
  readonly databaseUrl?: string;
  readonly adoptStore?: true;
  readonly verbose?: true;
}

/** Options of every command that starts a cluster. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--trainers <number>', 'trainer processes', wholeNumber)
    .option('--slots <number>', 'slots of each trainer; default: one per GPU, else one', wholeNumber)
    .option('--threads <number>', "threads of one slot's TensorFlow; default: the cores shared out", wholeNumber)
    .option('--port <number>', "the coordinator's port; default: 50051 if it is free", wholeNumber)
    .option('--database-url <url>', 'a PostgreSQL; default: DATABASE_URL, else one in the state folder')
    .option('--adopt-store', 'take the artifact store over from a cluster whose database is gone for good')
    .option('--verbose', "show the processes' logs as well");
}

/** `graft up`. */
export function addUpCommand(program: Command, context: CliContext): void {
  addClusterOptions(program.command('up'))
    .description('everything on one machine: PostgreSQL, coordinator and trainers, until Ctrl-C')
    .action(async (own: ClusterFlags, command: Command) => {
      const began = performance.now();
      const cluster = await startCluster(context, own);
      const { address, databaseUrl, logDir } = cluster;
      writeResult(context, globalOptions(command), { address, databaseUrl, logDir }, () =>
        [
          `Graft is up after ${formatDuration(performance.now() - began)}.`,
          `  coordinator  ${address}`,
          `  database     ${databaseUrl}`,
          `  logs         ${logDir}`,
          `Submit a sweep with \`${GRAFT} sweep submit FILE\`. Ctrl-C ends everything in order, a second one at once.`,
        ].join('\n'),
      );
      await waitForInterrupt(context);
      await stopCluster(context, cluster);
    });
}

/** Starts a cluster with what was given on the command line; Ctrl-C while it starts ends what there is. */
export async function startCluster(context: CliContext, flags: ClusterFlags): Promise<LocalCluster> {
  try {
    return await startLocalCluster({
      paths: context.paths,
      env: context.env,
      openClient: context.openClient,
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

/** Ends a cluster in order; a second Ctrl-C ends it at once. */
export async function stopCluster(context: CliContext, cluster: LocalCluster): Promise<void> {
  const began = performance.now();
  say(context, 'ending: trainers hand their work back, then the coordinator and PostgreSQL stop …');
  context.signals.onSecond = (): void => {
    say(context, 'ending at once');
    cluster.kill();
  };
  await cluster.stop();
  context.signals.onSecond = null;
  say(context, `everything has ended after ${formatDuration(performance.now() - began)}`);
}

/** Resolves at Ctrl-C, SIGTERM or the closing of the terminal. */
export function waitForInterrupt({ signal }: CliContext): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** @throws InvalidArgumentError */
function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('must be a whole number of at least 1.');
  return value;
}
