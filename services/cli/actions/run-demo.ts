import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { createGraftClient } from '../client/grpc-client.ts';
import { findLiveCluster } from '../cluster/cluster-lock.ts';
import type { LocalCluster } from '../cluster/local-cluster.ts';
import type { CliContext } from '../context/cli-context.ts';
import { demoSpec, EMOJI_SCALE, PHOTO_SCALE } from '../demo/demo-sweep.ts';
import { PartTimes } from '../demo/part-times.ts';
import { demoDataFolder, runDemoSweep } from '../demo/run-demo-sweep.ts';
import type { DemoResult } from '../demo/run-demo-sweep.ts';
import { InterruptedError, MissingError } from '../terminal/cli-errors.ts';
import { say } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { startCluster, stopCluster, waitForInterrupt } from './run-cluster.ts';
import type { ClusterFlags } from './run-cluster.ts';

/** Flags of `graft demo`. */
export interface DemoFlags extends ClusterFlags {
  readonly data?: string;
  readonly keep?: true;
}

interface DemoCluster {
  readonly address: string;
  readonly databaseUrl: string;
  /** null: the cluster ran before the demo, which must not stop it. */
  readonly own: LocalCluster | null;
}

/** `graft demo`. */
export async function runDemo(context: CliContext, flags: DemoFlags): Promise<void> {
  const spec =
    flags.data === undefined
      ? demoSpec(demoDataFolder(context.paths.cacheDir), EMOJI_SCALE)
      : demoSpec(existingFolder(context, flags.data), PHOTO_SCALE);
  const times = new PartTimes();
  const cluster = await times.measure('start', () => findOrStartCluster(context, flags));
  const client = (context.openClient ?? createGraftClient)(cluster.address);
  let result: DemoResult | null = null;
  let isKept = cluster.own === null;
  try {
    result = await runDemoSweep(context, client, spec, times);
    if (flags.keep === true && cluster.own !== null) {
      isKept = true;
      context.stdout.write(`\n${closingWords(cluster, result, true, times)}\n\nThe cluster runs until Ctrl-C.\n`);
      await waitForInterrupt(context);
    }
  } finally {
    client.close();
    const { own } = cluster;
    if (own !== null) await times.measure('stop', () => stopCluster(context, own));
  }
  if (flags.keep !== true || cluster.own === null) {
    context.stdout.write(`\n${closingWords(cluster, result, isKept, times)}\n`);
  }
  if (context.signal.aborted && flags.keep !== true) throw new InterruptedError();
}

async function findOrStartCluster(context: CliContext, flags: DemoFlags): Promise<DemoCluster> {
  const live = findLiveCluster(context.paths.stateDir);
  if (live !== null && live.address !== null && live.databaseUrl !== null) {
    say(context, `Using the cluster that runs already: ${live.address} (process ${live.owner.pid}).`);
    return { address: live.address, databaseUrl: live.databaseUrl, own: null };
  }
  say(context, 'Starting PostgreSQL, a coordinator and trainers on this machine …');
  const own = await startCluster(context, { ...flags, trainers: flags.trainers ?? demoTrainers() });
  return { address: own.address, databaseUrl: own.databaseUrl, own };
}

/**
 * Returns the number of trainers for the demo. On two cores, two trainers of one thread each took 50 s for its sweep where one
 * trainer of two threads took 79 s: the tasks are many and small, and some run in parallel. With GPUs, one trainer has a slot
 * for each.
 */
function demoTrainers(): number {
  return existsSync('/dev/nvidia0') ? 1 : Math.min(2, availableParallelism());
}

function existingFolder(context: CliContext, data: string): string {
  const folder = resolve(context.cwd, data);
  if (!existsSync(folder)) throw new MissingError(`--data: there is no folder ${folder}.`);
  return folder;
}

/** Returns the last output: the report, and commands that explore the results. */
function closingWords(
  cluster: DemoCluster,
  { sweep, reportFile }: DemoResult,
  isUp: boolean,
  times: PartTimes,
): string {
  const { sweepId } = sweep;
  const { address, databaseUrl } = cluster;
  const state = isUp
    ? 'The cluster runs. Explore the results:'
    : `The cluster has stopped and keeps its data. Start it again with \`${GRAFT} up\`, then:`;
  return [
    `Report:  ${reportFile}`,
    '',
    state,
    `  psql '${databaseUrl}' -c "select * from leaderboard where sweep_id = '${sweepId}' order by rank"`,
    `  psql '${databaseUrl}' -c "select * from epoch_curves where sweep_id = '${sweepId}' limit 20"`,
    `  grpcurl -plaintext ${address} list`,
    `  grpcurl -plaintext ${address} describe graft.v1.SweepService`,
    `  grpcurl -plaintext -d '{"sweep_id": "${sweepId}"}' ${address} graft.v1.SweepService/GetLeaderboard`,
    `  ${GRAFT} leaderboard ${sweepId}`,
    `  ${GRAFT} checkpoint list ${sweepId}`,
    '',
    `Times:  ${times.toString()}`,
  ].join('\n');
}
