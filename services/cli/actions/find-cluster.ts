import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { findLiveCluster } from '../cluster/cluster-lock.ts';
import type { LocalCluster } from '../cluster/local-cluster.ts';
import type { CliContext } from '../context/cli-context.ts';
import { say } from '../terminal/output.ts';
import { startCluster } from './run-cluster.ts';
import type { ClusterFlags } from './run-cluster.ts';

/** A cluster on this machine that a command uses. */
export interface UsedCluster {
  readonly address: string;
  readonly databaseUrl: string;
  /** null: the cluster ran before the command, which must not stop it. */
  readonly own: LocalCluster | null;
}

/** Returns the cluster that runs on this machine, or starts one. */
export async function findOrStartCluster(context: CliContext, flags: ClusterFlags): Promise<UsedCluster> {
  const live = findLiveCluster(context.paths.stateDir);
  if (live !== null && live.address !== null && live.databaseUrl !== null) {
    say(context, `Using the cluster that runs already: ${live.address} (process ${live.owner.pid}).`);
    return { address: live.address, databaseUrl: live.databaseUrl, own: null };
  }
  say(context, 'Starting PostgreSQL, a coordinator and trainers on this machine …');
  const own = await startCluster(context, { ...flags, trainers: flags.trainers ?? usualTrainers() });
  return { address: own.address, databaseUrl: own.databaseUrl, own };
}

export function hasGpu(): boolean {
  return existsSync('/dev/nvidia0');
}

/**
 * Returns the number of trainers for a sweep of many small tasks. On two cores, two trainers of one thread each took 50 s for the demo's
 * sweep where one trainer of two threads took 79 s, because some tasks run in parallel. With GPUs, one trainer has a slot for each.
 */
export function usualTrainers(): number {
  return hasGpu() ? 1 : Math.min(2, availableParallelism());
}
