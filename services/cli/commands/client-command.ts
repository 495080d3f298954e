import type { Command } from 'commander';
import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import { ConfigError } from '../../platform/config/read-config.ts';
import { inSpan } from '../../platform/telemetry/tracer.ts';
import { MissingError, UsageError } from '../terminal/cli-errors.ts';
import type { GraftClient } from '../client/types.ts';
import { findLiveCluster } from '../cluster/cluster-lock.ts';
import { connectionOf } from '../context/connection-options.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { GRAFT } from '../terminal/program-name.ts';

const DEFAULT_ADDRESS = '127.0.0.1:50051';

/** The newest sweep, wherever a command takes a sweep's id. */
export const LATEST = 'latest';

/** The global options of a command that is being run. */
export function globalOptions(command: Command): GlobalOptions {
  return { ...command.optsWithGlobals<Omit<GlobalOptions, 'command'>>(), command: nameOf(command) };
}

function nameOf(command: Command): string {
  const { parent } = command;
  // The outermost one is the program.
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

/** The coordinator that is meant: option, environment, the cluster that is up here, the default port. */
function openNamed(context: CliContext, options: GlobalOptions): GraftClient {
  const named = [options.coordinator, context.env['GRAFT_COORDINATOR']].find(
    (text) => text !== undefined && text !== '',
  );
  const ownAddress = named === undefined ? findLiveCluster(context.paths.stateDir)?.address : undefined;
  // A cluster of our own speaks over loopback, with neither TLS nor tokens.
  if (typeof ownAddress === 'string') return open(context, ownAddress);
  return open(context, named ?? DEFAULT_ADDRESS, connectionOf(context.env, options));
}

/** Runs `work` with a connection to the coordinator, as one span, and closes it in any case. */
export async function withClient<T>(
  context: CliContext,
  options: GlobalOptions,
  work: (client: GraftClient) => Promise<T>,
): Promise<T> {
  const client = openNamed(context, options);
  try {
    return await inSpan(`graft ${options.command}`, {}, () => work(client));
  } finally {
    client.close();
  }
}

function open(context: CliContext, address: string, connection?: ConnectionConfig): GraftClient {
  try {
    return context.openClient(address, connection);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
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
