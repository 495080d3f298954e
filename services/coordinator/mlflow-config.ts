import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../platform/config/read-config.ts';
import type { MlflowServer } from '../platform/mlflow/transport.ts';

export interface MlflowConfig {
  /** Holds credentials: never logged. */
  readonly server: MlflowServer;
  /** Experiment of sweeps that name none. */
  readonly experiment: string;
  readonly intervalMs: number;
}

const milliseconds = (min: number, max: number) =>
  z.coerce.number({ error: 'must be a whole number of milliseconds' }).int('must be a whole number').min(min).max(max);

/** The part of the coordinator's settings that is about MLflow. */
export const MLFLOW_SETTINGS = {
  GRAFT_MLFLOW_TRACKING_URI: z
    .string()
    .refine(isTrackingUri, 'must be http(s)://host:port, without credentials, for example https://mlflow.example')
    .optional(),
  GRAFT_MLFLOW_EXPERIMENT: z.string().max(500, 'must have at most 500 characters').default('graft'),
  GRAFT_MLFLOW_USERNAME: z.string().optional(),
  GRAFT_MLFLOW_PASSWORD: z.string().optional(),
  GRAFT_MLFLOW_TOKEN: z.string().optional(),
  GRAFT_MLFLOW_CA_FILE: z.string().optional(),
  GRAFT_MLFLOW_TIMEOUT_MS: milliseconds(100, 600_000).default(30_000),
  GRAFT_MLFLOW_INTERVAL_MS: milliseconds(10, 600_000).default(2_000),
} as const;

/** For `--help`. */
export const MLFLOW_HELP = `  GRAFT_MLFLOW_TRACKING_URI        MLflow server that everything is mirrored to, http(s)://host:port (none)
  GRAFT_MLFLOW_EXPERIMENT          experiment of sweeps that name none (graft)
  GRAFT_MLFLOW_USERNAME, _PASSWORD for basic authentication
  GRAFT_MLFLOW_TOKEN               for bearer authentication, instead of the two
  GRAFT_MLFLOW_CA_FILE             PEM file of certificates to trust besides the well-known ones
  GRAFT_MLFLOW_TIMEOUT_MS          how long an answer may take; uploads have ten times as long (30000)
  GRAFT_MLFLOW_INTERVAL_MS         between two looks for something to send (2000)
`;

type MlflowSettings = z.infer<z.ZodObject<typeof MLFLOW_SETTINGS>>;

/**
 * @returns null where no server is set.
 * @throws ConfigError
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

/** The settings as they may be shown. */
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
      'GRAFT_MLFLOW_TOKEN: is given together with GRAFT_MLFLOW_USERNAME or _PASSWORD; keep one of the two ways.',
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
