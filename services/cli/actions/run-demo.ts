import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createGraftClient } from '../client/grpc-client.ts';
import type { CliContext } from '../context/cli-context.ts';
import { demoSpec, EMOJI_SCALE, PHOTO_SCALE } from '../demo/demo-sweep.ts';
import { PartTimes } from '../demo/part-times.ts';
import { demoDataFolder, runDemoSweep } from '../demo/run-demo-sweep.ts';
import type { DemoResult } from '../demo/run-demo-sweep.ts';
import { InterruptedError, MissingError } from '../terminal/cli-errors.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { findOrStartCluster } from './find-cluster.ts';
import type { UsedCluster } from './find-cluster.ts';
import { stopCluster, waitForInterrupt } from './run-cluster.ts';
import type { ClusterFlags } from './run-cluster.ts';

/** Flags of `graft demo`. */
export interface DemoFlags extends ClusterFlags {
  readonly data?: string;
  readonly keep?: true;
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

function existingFolder(context: CliContext, data: string): string {
  const folder = resolve(context.cwd, data);
  if (!existsSync(folder)) throw new MissingError(`--data: there is no folder ${folder}.`);
  return folder;
}

/** Returns the last output: the report, and commands that explore the results. */
function closingWords(
  cluster: UsedCluster,
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
