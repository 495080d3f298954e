import { join } from 'node:path';
import { z } from 'zod';
import { DEFAULT_LEASE_TIMING, leaseTimingFor } from '../core/lease.ts';
import type { LeaseTiming } from '../core/lease.ts';
import { ARTIFACT_ADDRESS_RULE, isArtifactAddress } from '../platform/artifacts/open-artifact-store.ts';
import { listenAddress } from '../platform/config/listen-address.ts';
import { ConfigError, readConfig } from '../platform/config/read-config.ts';
import { parseDatabaseUrl } from '../platform/db/database-url.ts';
import { resolvePaths } from '../platform/paths.ts';
import type { LogLevel } from '../platform/telemetry/logger.ts';
import { describeMlflow, MLFLOW_HELP, MLFLOW_SETTINGS, mlflowConfigOf } from './mlflow-config.ts';
import type { MlflowConfig } from './mlflow-config.ts';
import { SECURITY_HELP, SECURITY_SETTINGS, securityConfigOf } from './security-config.ts';
import type { SecurityConfig } from './security-config.ts';

export interface CoordinatorConfig {
  /** `host:port`; port 0: any free one. */
  readonly listen: string;
  /** `host:port` of /metrics, /healthz and /readyz over HTTP; null: off. */
  readonly metricsListen: string | null;
  readonly security: SecurityConfig;
  /** Holds the password: never logged. */
  readonly databaseUrl: string;
  readonly databaseConnections: number;
  /** A folder, or `s3://<bucket>/<prefix>`. */
  readonly artifactsDir: string;
  /** Whether the artifact store is taken over from the cluster that it belongs to. */
  readonly adoptsStore: boolean;
  readonly timing: LeaseTiming;
  readonly retentionMs: number;
  /** Runs of an ended sweep, from the first of its leaderboard on, whose best checkpoint is kept. */
  readonly keepBest: number;
  /** Files without a row are removed when they are so old. */
  readonly orphanMs: number;
  /** Whether plans follow what the cluster measures and which slots it has. */
  readonly plansAdaptively: boolean;
  /** How long running calls may take to end after SIGTERM. */
  readonly drainMs: number;
  /** null: nothing is mirrored to MLflow. */
  readonly mlflow: MlflowConfig | null;
  readonly logLevel: LogLevel;
}

/** After the drain: for the loops and the connections to end. */
const END_MS = 10_000;

const milliseconds = (min: number, max: number) =>
  z.coerce.number({ error: 'must be a whole number of milliseconds' }).int('must be a whole number').min(min).max(max);

const schema = z.object({
  DATABASE_URL: z
    .string({ error: 'is needed, for example postgresql://user:password@host:5432/graft' })
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://'),
  GRAFT_COORDINATOR_LISTEN: listenAddress().default('127.0.0.1:50051'),
  GRAFT_COORDINATOR_METRICS_LISTEN: listenAddress().optional(),
  ...SECURITY_SETTINGS,
  GRAFT_COORDINATOR_CONNECTIONS: z.coerce
    .number({ error: 'must be a whole number' })
    .int()
    .min(2)
    .max(1000)
    .default(10),
  GRAFT_COORDINATOR_LEASE_MS: milliseconds(100, 3_600_000).default(DEFAULT_LEASE_TIMING.leaseMs),
  GRAFT_COORDINATOR_HEARTBEAT_MS: milliseconds(10, 600_000).optional(),
  GRAFT_COORDINATOR_REAPER_MS: milliseconds(10, 600_000).optional(),
  GRAFT_COORDINATOR_RETENTION_MS: milliseconds(10, 86_400_000).default(10_000),
  GRAFT_COORDINATOR_KEEP_BEST: z.coerce
    .number({ error: 'must be a whole number' })
    .int()
    .min(1)
    .max(1_000_000)
    .default(10),
  GRAFT_COORDINATOR_ORPHAN_MS: milliseconds(10, 864_000_000).default(3_600_000),
  GRAFT_COORDINATOR_ADAPTIVE_PLAN: z.enum(['on', 'off'], { error: 'must be on or off' }).default('on'),
  GRAFT_COORDINATOR_DRAIN_MS: milliseconds(0, 600_000).default(10_000),
  ...MLFLOW_SETTINGS,
  GRAFT_COORDINATOR_ADOPT_STORE: z.enum(['on', 'off'], { error: 'must be on or off' }).default('off'),
  GRAFT_ARTIFACTS_DIR: z.string().refine(isArtifactAddress, ARTIFACT_ADDRESS_RULE).optional(),
  GRAFT_CACHE_DIR: z.string().optional(),
  GRAFT_STATE_DIR: z.string().optional(),
  GRAFT_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** All environment variables that a coordinator reads, for the checks of images and manifests. */
export const COORDINATOR_SETTINGS: readonly string[] = Object.keys(schema.shape);

/** For `--help`. */
export const COORDINATOR_HELP = `graft coordinator: takes sweeps, hands tasks to trainers, keeps the record in PostgreSQL.

Usage: graft coordinator [--insecure] [--adopt-store] [--check-config] [--create-admin-token NAME] [--help]

  --insecure                  as GRAFT_COORDINATOR_INSECURE=on
  --adopt-store               as GRAFT_COORDINATOR_ADOPT_STORE=on: this start takes the artifact store over from the cluster that
                              its graft-store.json names, which must be gone for good
  --check-config              print the settings (without the password) and end; 78 where they can't be used
  --create-admin-token NAME   make a token with the role ADMIN in the database, print it and end: the first one; others are made
                              with \`graft token create\`

Everything is set by environment variables:
  DATABASE_URL                     postgresql://user:password@host:5432/graft (needed)
  GRAFT_COORDINATOR_LISTEN         host:port for gRPC (127.0.0.1:50051)
  GRAFT_COORDINATOR_METRICS_LISTEN host:port for /metrics, /healthz and /readyz over HTTP (off)
${SECURITY_HELP}  GRAFT_COORDINATOR_CONNECTIONS    database connections of the pool; 3 more are kept for notifications and the loops (10)
  GRAFT_COORDINATOR_LEASE_MS       a lease ends so long after its last heartbeat (30000)
  GRAFT_COORDINATOR_HEARTBEAT_MS   between two heartbeats of a trainer (a third of the lease)
  GRAFT_COORDINATOR_REAPER_MS      between two looks for expired leases (a sixth of the lease)
  GRAFT_COORDINATOR_RETENTION_MS   between two looks for checkpoint files to remove (10000)
  GRAFT_COORDINATOR_KEEP_BEST      runs of an ended sweep whose best checkpoint is kept, besides what was tested (10)
  GRAFT_COORDINATOR_ORPHAN_MS      files that a killed trainer left without a row are removed when so old (3600000)
  GRAFT_COORDINATOR_ADAPTIVE_PLAN  on: forecasts follow what the cluster measures, and groups that nobody has begun are cut anew
                                   when slots come and go; off: which runs train together follows from the spec and the slots
                                   at the planning alone (on)
  GRAFT_COORDINATOR_DRAIN_MS       how long running calls may take to end after SIGTERM (10000)
${MLFLOW_HELP}  GRAFT_ARTIFACTS_DIR              artifact store, a folder that trainers share, or s3://<bucket>/<prefix>, with
                                   AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID … (<state folder>/artifacts); it belongs to
                                   the cluster of the database, as the graft-store.json in it says
  GRAFT_COORDINATOR_ADOPT_STORE    on: take the store over from another cluster; not to be left on (off)
  GRAFT_CACHE_DIR, GRAFT_STATE_DIR what can be made again; what must stay (XDG folders)
  GRAFT_LOG_LEVEL                  fatal, error, warn, info, debug, trace or silent (info)
  OTEL_EXPORTER_OTLP_ENDPOINT      collector of OpenTelemetry traces, for example http://collector:4318; other OTEL_* too (off)

Several coordinators may share one database; one of them runs the loops. SIGTERM or SIGINT: ends in order; a second one at
once with 130.
`;

/**
 * Reads the coordinator's configuration; nothing else of it reads the environment.
 *
 * @throws ConfigError with every problem.
 */
export function readCoordinatorConfig(env: Readonly<Record<string, string | undefined>>): CoordinatorConfig {
  const read = readConfig(schema, env, ['GRAFT_COORDINATOR_', 'GRAFT_MLFLOW_']);
  checkDatabaseUrl(read.DATABASE_URL, env);
  const scaled = leaseTimingFor(read.GRAFT_COORDINATOR_LEASE_MS);
  const timing = {
    ...scaled,
    heartbeatMs: read.GRAFT_COORDINATOR_HEARTBEAT_MS ?? scaled.heartbeatMs,
    reaperMs: read.GRAFT_COORDINATOR_REAPER_MS ?? scaled.reaperMs,
  };
  if (timing.heartbeatMs * 2 > timing.leaseMs) {
    throw new ConfigError([
      `GRAFT_COORDINATOR_HEARTBEAT_MS: must be at most half of the lease (${timing.leaseMs} ms), so that one lost heartbeat ` +
        `does not end it. Received: ${timing.heartbeatMs}.`,
    ]);
  }
  return {
    listen: read.GRAFT_COORDINATOR_LISTEN,
    metricsListen: read.GRAFT_COORDINATOR_METRICS_LISTEN ?? null,
    security: securityConfigOf(read, read.GRAFT_COORDINATOR_LISTEN),
    databaseUrl: read.DATABASE_URL,
    databaseConnections: read.GRAFT_COORDINATOR_CONNECTIONS,
    adoptsStore: read.GRAFT_COORDINATOR_ADOPT_STORE === 'on',
    artifactsDir: read.GRAFT_ARTIFACTS_DIR ?? join(resolvePaths(env).stateDir, 'artifacts'),
    timing,
    retentionMs: read.GRAFT_COORDINATOR_RETENTION_MS,
    keepBest: read.GRAFT_COORDINATOR_KEEP_BEST,
    orphanMs: read.GRAFT_COORDINATOR_ORPHAN_MS,
    plansAdaptively: read.GRAFT_COORDINATOR_ADAPTIVE_PLAN === 'on',
    drainMs: read.GRAFT_COORDINATOR_DRAIN_MS,
    mlflow: mlflowConfigOf(read),
    logLevel: read.GRAFT_LOG_LEVEL,
  };
}

function checkDatabaseUrl(url: string, env: Readonly<Record<string, string | undefined>>): void {
  try {
    parseDatabaseUrl(url, env);
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)]);
  }
}

/** How long an orderly end may take: running calls end, loops stop, connections close. Milliseconds. */
export function coordinatorGraceMs(config: Pick<CoordinatorConfig, 'drainMs'>): number {
  return config.drainMs + END_MS;
}

/** The configuration as it may be shown: the password is left out. */
export function describeConfig(config: CoordinatorConfig): Readonly<Record<string, unknown>> {
  const url = new URL(config.databaseUrl);
  if (url.password !== '') url.password = 'redacted';
  return { ...config, databaseUrl: url.href, mlflow: describeMlflow(config.mlflow) };
}
