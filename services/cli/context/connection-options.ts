import { CONNECTION_SETTINGS, connectionConfigOf } from '../../platform/config/connection-settings.ts';
import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import { readSettings } from '../../platform/config/read-config.ts';
import type { GlobalOptions } from './cli-context.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * How to connect, from options and environment; an option counts more.
 *
 * @throws ConfigError with every problem.
 */
export function connectionOf(env: Environment, options: ConnectionOptions): ConnectionConfig {
  const read = readSettings(CONNECTION_SETTINGS, { ...env, ...settingsOf(options) }, ['GRAFT_TLS_', 'GRAFT_TOKEN']);
  return connectionConfigOf(read);
}

type ConnectionOptions = Pick<GlobalOptions, 'tlsCa' | 'tokenFile' | 'insecure'>;

/** The options as settings of a service that is started with them. */
export function settingsOf({ tlsCa, tokenFile, insecure }: ConnectionOptions): Readonly<Record<string, string>> {
  return {
    ...(tlsCa === undefined ? {} : { GRAFT_TLS_CA: tlsCa }),
    // A token of the environment would contradict the one that was asked for.
    ...(tokenFile === undefined ? {} : { GRAFT_TOKEN_FILE: tokenFile, GRAFT_TOKEN: '' }),
    ...(insecure === true ? { GRAFT_INSECURE: 'on', GRAFT_COORDINATOR_INSECURE: 'on' } : {}),
  };
}

/** What concerns the connection to other machines is not for a cluster of our own, which speaks over loopback. */
export function withoutConnectionSettings(env: Environment): Environment {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^GRAFT_(COORDINATOR_)?(TLS_|TOKEN|INSECURE)/.test(name)),
  );
}
