import { CONNECTION_SETTINGS, connectionConfigOf } from '../../platform/config/connection-settings.ts';
import type { ConnectionConfig } from '../../platform/config/connection-settings.ts';
import { readSettings } from '../../platform/config/read-config.ts';
import type { GlobalOptions } from './cli-context.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the connection settings from options and environment; an option overrides the environment.
 *
 * @throws ConfigError with every problem.
 */
export function connectionOf(env: Environment, options: ConnectionOptions): ConnectionConfig {
  const read = readSettings(CONNECTION_SETTINGS, { ...env, ...settingsOf(options) }, ['GRAFT_TLS_', 'GRAFT_TOKEN']);
  return connectionConfigOf(read);
}

type ConnectionOptions = Pick<GlobalOptions, 'tlsCa' | 'tokenFile' | 'insecure'>;

/** Returns the options as environment variables of a service. */
export function settingsOf({ tlsCa, tokenFile, insecure }: ConnectionOptions): Readonly<Record<string, string>> {
  return {
    ...(tlsCa === undefined ? {} : { GRAFT_TLS_CA: tlsCa }),
    // A token in the environment would contradict the file.
    ...(tokenFile === undefined ? {} : { GRAFT_TOKEN_FILE: tokenFile, GRAFT_TOKEN: '' }),
    ...(insecure === true ? { GRAFT_INSECURE: 'on', GRAFT_COORDINATOR_INSECURE: 'on' } : {}),
  };
}

/** Removes the connection settings: a cluster of `graft up` uses loopback, without TLS and tokens. */
export function withoutConnectionSettings(env: Environment): Environment {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^GRAFT_(COORDINATOR_)?(TLS_|TOKEN|INSECURE)/.test(name)),
  );
}
