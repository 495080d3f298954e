import type { Command } from 'commander';
import { MissingError, UsageError } from '../cli-errors.ts';
import type { GraftClient } from '../client/types.ts';
import { findLiveCluster } from '../cluster/cluster-lock.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { GRAFT } from '../program-name.ts';

const DEFAULT_ADDRESS = '127.0.0.1:50051';

/** The newest sweep, wherever a command takes a sweep's id. */
export const LATEST = 'latest';

/** The global options of a command that is being run. */
export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/** The coordinator that is meant: option, environment, the cluster that is up here, the default port. */
function coordinatorAddress(context: CliContext, options: GlobalOptions): string {
  const named = [options.coordinator, context.env['GRAFT_COORDINATOR']].find(
    (text) => text !== undefined && text !== '',
  );
  return named ?? findLiveCluster(context.paths.stateDir)?.address ?? DEFAULT_ADDRESS;
}

/** Runs `work` with a connection to the coordinator and closes it in any case. */
export async function withClient<T>(
  context: CliContext,
  options: GlobalOptions,
  work: (client: GraftClient) => Promise<T>,
): Promise<T> {
  const client = open(context, coordinatorAddress(context, options));
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

function open(context: CliContext, address: string): GraftClient {
  try {
    return context.openClient(address);
  } catch (error) {
    throw new UsageError(`--coordinator: ${(error as Error).message}`);
  }
}

/**
 * The id itself, or the newest sweep's for `latest`.
 *
 * @throws MissingError where there is no sweep at all.
 */
export async function resolveSweepId(client: GraftClient, sweepId: string): Promise<string> {
  if (sweepId !== LATEST) return sweepId;
  const [newest] = await client.listSweeps(1);
  if (newest === undefined)
    throw new MissingError(`There is no sweep yet. Submit one with \`${GRAFT} sweep submit FILE\`.`);
  return newest.sweepId;
}
