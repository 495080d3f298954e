import { join } from 'node:path';
import { DEFAULT_LEASE_TIMING, leaseTimingFor } from '../core/lease.ts';
import type { LeaseTiming } from '../core/lease.ts';
import { listenAddress } from '../platform/config/listen-address.ts';
import { checkTogether, ConfigError, readSettings } from '../platform/config/read-config.ts';
import { integer, milliseconds, settingsHelp, switchedOn } from '../platform/config/setting.ts';
import type { Settings, ValuesOf } from '../platform/config/setting.ts';
import { DATABASE_SETTINGS, SHARED_SETTINGS } from '../platform/config/shared-settings.ts';
import { parseDatabaseUrl } from '../platform/db/database-url.ts';
import { resolvePaths } from '../platform/paths.ts';
import type { LogLevel } from '../platform/telemetry/logger.ts';
import { describeMlflow, MLFLOW_SETTINGS, mlflowConfigOf } from './mlflow-config.ts';
import type { MlflowConfig } from './mlflow-config.ts';
import { SECURITY_SETTINGS, securityConfigOf } from './security-config.ts';
import type { SecurityConfig } from './security-config.ts';

export interface CoordinatorConfig {
  /** `host:port`; port 0: any free port. */
  readonly listen: string;
  /** `host:port` of /metrics, /healthz and /readyz over HTTP; null: off. */
  readonly metricsListen: string | null;
  readonly security: SecurityConfig;
  /** Holds the password: never logged. */
  readonly databaseUrl: string;
  readonly databaseConnections: number;
  /** A folder, or `s3://<bucket>/<prefix>`. */
  readonly artifactsDir: string;
  /** True: the artifact store is taken over from the cluster that it belongs to. */
  readonly adoptsStore: boolean;
  readonly timing: LeaseTiming;
  readonly retentionMs: number;
  /** Number of runs of an ended sweep, from the top of its leaderboard, whose best checkpoint is kept. */
  readonly keepBest: number;
  /** Milliseconds; files without a row that are older are removed. */
  readonly orphanMs: number;
  /** True: plans follow the cluster's measurements and its present slots. */
  readonly plansAdaptively: boolean;
  /** Milliseconds that running calls may take to end after SIGTERM. */
  readonly drainMs: number;
  /** null: nothing is mirrored to MLflow. */
  readonly mlflow: MlflowConfig | null;
  readonly logLevel: LogLevel;
}

/** Milliseconds after the drain for the loops and the connections to end. */
const END_MS = 10_000;

export const COORDINATOR_SETTINGS = {
  ...DATABASE_SETTINGS,
  GRAFT_COORDINATOR_LISTEN: { schema: listenAddress(), default: '127.0.0.1:50051', help: 'host:port for gRPC' },
  GRAFT_COORDINATOR_METRICS_LISTEN: {
    schema: listenAddress(),
    unset: 'off',
    help: 'host:port for /metrics, /healthz and /readyz over HTTP',
  },
  ...SECURITY_SETTINGS,
  GRAFT_COORDINATOR_CONNECTIONS: {
    schema: integer(2, 1000),
    default: 10,
    help: 'database connections of the pool; 3 more are kept for notifications and the loops',
  },
  GRAFT_COORDINATOR_LEASE_MS: {
    schema: milliseconds(100, 3_600_000),
    default: DEFAULT_LEASE_TIMING.leaseMs,
    help: 'milliseconds after its last heartbeat at which a lease expires',
  },
  GRAFT_COORDINATOR_HEARTBEAT_MS: {
    schema: milliseconds(10, 600_000),
    unset: 'a third of the lease',
    help: 'milliseconds between two heartbeats of a trainer',
  },
  GRAFT_COORDINATOR_REAPER_MS: {
    schema: milliseconds(10, 600_000),
    unset: 'a sixth of the lease',
    help: 'milliseconds between two polls for expired leases',
  },
  GRAFT_COORDINATOR_RETENTION_MS: {
    schema: milliseconds(10, 86_400_000),
    default: 10_000,
    help: 'milliseconds between two polls for checkpoint files to remove',
  },
  GRAFT_COORDINATOR_KEEP_BEST: {
    schema: integer(1, 1_000_000),
    default: 10,
    help: 'runs of an ended sweep whose best checkpoint is kept, besides those that were tested',
  },
  GRAFT_COORDINATOR_ORPHAN_MS: {
    schema: milliseconds(10, 864_000_000),
    default: 3_600_000,
    help: 'age in milliseconds at which a file without a row, as a killed trainer leaves it, is removed',
  },
  GRAFT_COORDINATOR_ADAPTIVE_PLAN: {
    schema: switchedOn,
    default: 'on',
    help:
      'on: forecasts follow the measurements of the cluster, and groups that have not begun are regrouped when slots come and go; ' +
      'off: which runs train together depends only on the spec and the slots at planning',
  },
  GRAFT_COORDINATOR_DRAIN_MS: {
    schema: milliseconds(0, 600_000),
    default: 10_000,
    help: 'milliseconds that running calls may take to end after SIGTERM',
  },
  ...MLFLOW_SETTINGS,
  GRAFT_COORDINATOR_ADOPT_STORE: {
    schema: switchedOn,
    default: 'off',
    help: 'on: take the artifact store over from another cluster; turn it off again after one start',
  },
  ...SHARED_SETTINGS,
} satisfies Settings;

/** The output of `--help`. */
export const COORDINATOR_HELP = `graft coordinator: accepts sweeps, leases tasks to trainers, records results in PostgreSQL.

Usage: graft coordinator [--insecure] [--adopt-store] [--check-config] [--create-admin-token NAME] [--help]

  --insecure                  same as GRAFT_COORDINATOR_INSECURE=on
  --adopt-store               same as GRAFT_COORDINATOR_ADOPT_STORE=on: take the artifact store over from the cluster that its
                              graft-store.json names, which must no longer exist
  --check-config              print the settings (without the password) and exit; exit code 78 if they can't be used
  --create-admin-token NAME   create the first token with the role ADMIN in the database, print it and exit; create others with
                              \`graft token create\`

Settings are environment variables (default):
${settingsHelp(COORDINATOR_SETTINGS)}
Several coordinators may share a database; one of them, the leader, runs the loops. SIGTERM or SIGINT ends a coordinator in order;
a second one ends it at once with exit code 130.
`;

/**
 * Reads the coordinator's configuration. No other code of the coordinator reads the environment.
 *
 * @throws ConfigError with every problem.
 */
export function readCoordinatorConfig(env: Readonly<Record<string, string | undefined>>): CoordinatorConfig {
  const read = readSettings(COORDINATOR_SETTINGS, env, ['GRAFT_COORDINATOR_', 'GRAFT_MLFLOW_']);
  const [timing, security, mlflow] = checkTogether<[LeaseTiming, SecurityConfig, MlflowConfig | null, void]>(
    () => timingOf(read),
    () => securityConfigOf(read, read.GRAFT_COORDINATOR_LISTEN),
    () => mlflowConfigOf(read),
    () => checkDatabaseUrl(read.DATABASE_URL, env),
  );
  return {
    listen: read.GRAFT_COORDINATOR_LISTEN,
    metricsListen: read.GRAFT_COORDINATOR_METRICS_LISTEN ?? null,
    security,
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
    mlflow,
    logLevel: read.GRAFT_LOG_LEVEL,
  };
}

function timingOf(read: ValuesOf<typeof COORDINATOR_SETTINGS>): LeaseTiming {
  const scaled = leaseTimingFor(read.GRAFT_COORDINATOR_LEASE_MS);
  const timing = {
    ...scaled,
    heartbeatMs: read.GRAFT_COORDINATOR_HEARTBEAT_MS ?? scaled.heartbeatMs,
    reaperMs: read.GRAFT_COORDINATOR_REAPER_MS ?? scaled.reaperMs,
  };
  if (timing.heartbeatMs * 2 > timing.leaseMs) {
    throw new ConfigError([
      `GRAFT_COORDINATOR_HEARTBEAT_MS: must be at most half of the lease (${timing.leaseMs} ms), so that a single lost heartbeat ` +
        `does not end it. Received: ${timing.heartbeatMs}.`,
    ]);
  }
  return timing;
}

function checkDatabaseUrl(url: string, env: Readonly<Record<string, string | undefined>>): void {
  try {
    parseDatabaseUrl(url, env);
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)]);
  }
}

/** Returns the longest orderly end in milliseconds: running calls end, loops stop, connections close. */
export function coordinatorGraceMs(config: Pick<CoordinatorConfig, 'drainMs'>): number {
  return config.drainMs + END_MS;
}

/** Returns the configuration without the password, so that it may be shown. */
export function describeConfig(config: CoordinatorConfig): Readonly<Record<string, unknown>> {
  const url = new URL(config.databaseUrl);
  if (url.password !== '') url.password = 'redacted';
  return { ...config, databaseUrl: url.href, mlflow: describeMlflow(config.mlflow) };
}
