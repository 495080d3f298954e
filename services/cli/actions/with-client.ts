import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import { ConfigError } from '../../platform/config/read-config.ts';
import { inSpan } from '../../platform/telemetry/tracer.ts';
import { createGraftClient } from '../client/grpc-client.ts';
import type { GraftClient } from '../client/client-port.ts';
import { findLiveCluster } from '../cluster/cluster-lock.ts';
import { connectionOf } from '../context/connection-options.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { UsageError } from '../terminal/cli-errors.ts';

const DEFAULT_ADDRESS = '127.0.0.1:50051';

/** Runs `work` with a connection to the coordinator, in one span, and closes the connection afterwards. */
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

/** Connects to the coordinator named by option or environment, else to the cluster on this machine, else to the default port. */
function openNamed(context: CliContext, options: GlobalOptions): GraftClient {
  const named = [options.coordinator, context.env['GRAFT_COORDINATOR']].find(
    (address) => address !== undefined && address !== '',
  );
  const ownAddress = named === undefined ? findLiveCluster(context.paths.stateDir)?.address : undefined;
  // A cluster of `graft up` listens on loopback, without TLS and tokens.
  if (typeof ownAddress === 'string') return open(context, ownAddress);
  return open(context, named ?? DEFAULT_ADDRESS, connectionOf(context.env, options));
}

function open(
  { openClient = createGraftClient }: CliContext,
  address: string,
  connection?: ConnectionConfig,
): GraftClient {
  try {
    return openClient(address, connection);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new UsageError(`--coordinator: ${(error as Error).message}`);
  }
}
