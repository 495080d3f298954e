import type { SweepRecord } from '../../core/records/sweep.ts';
import { isTerminalSweepState } from '../../core/states/sweep-state.ts';
import { countOf } from '../../core/text/count-of.ts';
import { createGraftClient } from '../client/grpc-client.ts';
import { startLocalCluster } from '../cluster/local-cluster.ts';
import type { LocalCluster } from '../cluster/local-cluster.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { InterruptedError } from '../terminal/cli-errors.ts';
import { formatDuration } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { Steps } from '../terminal/steps.ts';

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
  try {
    await announceCluster(context, options, cluster, performance.now() - began);
    await waitForInterrupt(context);
  } finally {
    await stopCluster(context, cluster);
  }
}

/** Prints the addresses of a cluster, and the sweeps that wait there. */
export async function announceCluster(
  context: CliContext,
  options: GlobalOptions,
  { address, databaseUrl, logDir }: LocalCluster,
  startMs: number,
): Promise<void> {
  const unfinished = await unfinishedSweeps(context, address);
  const sweeps = unfinished.map(({ sweepId, state }) => ({ sweepId, state }));
  writeResult(context, options, { address, databaseUrl, logDir, sweeps }, () =>
    [
      `Graft is up after ${formatDuration(startMs)}.`,
      `  coordinator  ${address}`,
      `  database     ${databaseUrl}`,
      `  logs         ${logDir}`,
      ...describeUnfinished(unfinished),
      `Submit a sweep with \`${GRAFT} sweep submit FILE\`. Ctrl-C stops everything in order, a second Ctrl-C at once.`,
    ].join('\n'),
  );
}

/** Maximum number of unfinished sweeps that `graft up` names. */
const NAMED_SWEEPS = 10;
/** Number of latest sweeps among which it looks for unfinished ones. */
const LATEST_SWEEPS = 200;

/** Returns the sweeps that continue, or wait for `graft sweep resume`. Without an answer it says so: the cluster runs all the same. */
async function unfinishedSweeps(context: CliContext, address: string): Promise<readonly SweepRecord[]> {
  const client = (context.openClient ?? createGraftClient)(address);
  try {
    return (await client.listSweeps({ limit: LATEST_SWEEPS })).filter(({ state }) => !isTerminalSweepState(state));
  } catch (error) {
    if (!context.signal.aborted) {
      const reason = error instanceof Error ? error.message : String(error);
      say(context, `Unfinished sweeps could not be listed (${reason}). Try it again: ${GRAFT} sweep list`);
    }
    return [];
  } finally {
    client.close();
  }
}

function describeUnfinished(sweeps: readonly SweepRecord[]): readonly string[] {
  const lines = sweeps
    .slice(0, NAMED_SWEEPS)
    .map(({ sweepId, displayName, state, stateReason, finishedRunCount, runCount }) => {
      const name = displayName === '' ? '' : ` “${displayName}”`;
      const [reason = ''] = stateReason.split('\n');
      const how =
        state === 'ACTIVE'
          ? `continues: ${GRAFT} sweep watch ${sweepId}`
          : `is paused${reason === '' ? '' : ` (${reason})`}: ${GRAFT} sweep resume ${sweepId}`;
      return `  sweep ${sweepId}${name}, ${finishedRunCount} of ${countOf(runCount, 'run')} ended, ${how}`;
    });
  const more = sweeps.length - lines.length;
  return more === 0 ? lines : [...lines, `  … and ${more} more: ${GRAFT} sweep list`];
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
      steps: new Steps(context.stderr, context.env),
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
