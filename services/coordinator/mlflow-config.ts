import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../platform/config/read-config.ts';
import { milliseconds } from '../platform/config/setting.ts';
import type { Settings, ValuesOf } from '../platform/config/setting.ts';
import type { MlflowServer } from '../platform/mlflow/transport.ts';

export interface MlflowConfig {
  /** Holds credentials: never logged. */
  readonly server: MlflowServer;
  /** Experiment of sweeps that name none. */
  readonly experiment: string;
  readonly intervalMs: number;
}

export const MLFLOW_SETTINGS = {
  GRAFT_MLFLOW_TRACKING_URI: {
    schema: z
      .string()
      .refine(isTrackingUri, 'must be http(s)://host:port, without credentials, for example https://mlflow.example'),
    unset: 'none',
    help: 'MLflow server that sweeps and runs are mirrored to, http(s)://host:port',
  },
  GRAFT_MLFLOW_EXPERIMENT: {
    schema: z.string().max(500, 'must have at most 500 characters'),
    default: 'graft',
    help: 'experiment of sweeps that name none',
  },
  GRAFT_MLFLOW_USERNAME: { schema: z.string(), unset: 'none', help: 'user name for basic authentication' },
  GRAFT_MLFLOW_PASSWORD: { schema: z.string(), unset: 'none', help: 'password for basic authentication' },
  GRAFT_MLFLOW_TOKEN: {
    schema: z.string(),
    unset: 'none',
    help: 'token for bearer authentication, instead of user name and password',
  },
  GRAFT_MLFLOW_CA_FILE: {
    schema: z.string(),
    unset: 'none',
    help: 'PEM file of authorities to trust besides the well-known ones',
  },
  GRAFT_MLFLOW_TIMEOUT_MS: {
    schema: milliseconds(100, 600_000),
    default: 30_000,
    help: 'time-out of a request in milliseconds; uploads have ten times as long',
  },
  GRAFT_MLFLOW_INTERVAL_MS: {
    schema: milliseconds(10, 600_000),
    default: 2_000,
    help: 'milliseconds between two polls of the outbox',
  },
} satisfies Settings;

type MlflowSettings = ValuesOf<typeof MLFLOW_SETTINGS>;

/**
 * Returns the settings of the mirror, or null when no server is set.
 *
 * @throws ConfigError for contradicting credentials and an unusable CA file
 */
export function mlflowConfigOf(read: MlflowSettings): MlflowConfig | null {
  const trackingUri = read.GRAFT_MLFLOW_TRACKING_URI;
  if (trackingUri === undefined) return null;
  return {
    server: {
      trackingUri: trackingUri.replace(/\/+$/, ''),
      auth: authOf(read),
      ca: readCa(read.GRAFT_MLFLOW_CA_FILE),
      timeoutMs: read.GRAFT_MLFLOW_TIMEOUT_MS,
    },
    experiment: read.GRAFT_MLFLOW_EXPERIMENT,
    intervalMs: read.GRAFT_MLFLOW_INTERVAL_MS,
  };
}

/** Returns the settings without credentials, so that they may be shown. */
export function describeMlflow(config: MlflowConfig | null): Readonly<Record<string, unknown>> | null {
  if (config === null) return null;
  const { server, experiment, intervalMs } = config;
  const { trackingUri, auth, ca, timeoutMs } = server;
  return { trackingUri, auth: auth.kind, hasCa: ca !== null, timeoutMs, experiment, intervalMs };
}

function authOf(read: MlflowSettings): MlflowServer['auth'] {
  const { GRAFT_MLFLOW_USERNAME: username, GRAFT_MLFLOW_PASSWORD: password, GRAFT_MLFLOW_TOKEN: token } = read;
  if (token !== undefined && (username !== undefined || password !== undefined)) {
    throw new ConfigError([
      'GRAFT_MLFLOW_TOKEN: must not be set together with GRAFT_MLFLOW_USERNAME or _PASSWORD; keep one of the two ways.',
    ]);
  }
  if (token !== undefined) return { kind: 'bearer', token };
  if (username === undefined && password === undefined) return { kind: 'none' };
  if (username === undefined || password === undefined) {
    const missing = username === undefined ? 'GRAFT_MLFLOW_USERNAME' : 'GRAFT_MLFLOW_PASSWORD';
    throw new ConfigError([`${missing}: is missing; a user name and a password belong together. Received: nothing.`]);
  }
  return { kind: 'basic', username, password };
}

function readCa(path: string | undefined): string | null {
  if (path === undefined) return null;
  try {
    const pem = readFileSync(path, 'utf8');
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  } catch (error) {
    throw new ConfigError([
      `GRAFT_MLFLOW_CA_FILE: can't be read. Received: ${JSON.stringify(path)} (${String(error)}).`,
    ]);
  }
  throw new ConfigError([`GRAFT_MLFLOW_CA_FILE: holds no PEM certificate. Received: ${JSON.stringify(path)}.`]);
}

function isTrackingUri(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}
