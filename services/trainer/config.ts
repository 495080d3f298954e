import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CONNECTION_SETTINGS, connectionConfigOf } from '../platform/config/connection-settings.ts';
import type { ConnectionConfig } from '../platform/config/connection-settings.ts';
import { listenAddress } from '../platform/config/listen-address.ts';
import { readSettings } from '../platform/config/read-config.ts';
import { integer, milliseconds, settingsHelp } from '../platform/config/setting.ts';
import type { Settings } from '../platform/config/setting.ts';
import { SHARED_SETTINGS } from '../platform/config/shared-settings.ts';
import { readVersion } from '../platform/config/read-version.ts';
import { resolvePaths } from '../platform/paths.ts';
import { parseAddresses } from '../platform/rpc/client.ts';
import { DEFAULT_MAX_IMAGE_PIXELS, MAX_IMAGE_PIXELS_SETTING, MOST_IMAGE_PIXELS } from './data/image-limit.ts';

export interface TrainerConfig {
  readonly coordinatorAddresses: readonly string[];
  readonly connection: ConnectionConfig;
  /** null: `<hostname>-<random>`, the random part kept in the state folder. */
  readonly trainerId: string | null;
  readonly hostname: string;
  readonly version: string;
  readonly slotCount: number;
  /** CUDA device of each slot; empty: no GPU. */
  readonly gpuDevices: readonly string[];
  readonly threadsPerSlot: number;
  /** A folder, or `s3://<bucket>/<prefix>`. */
  readonly artifactsDir: string;
  readonly cacheDir: string;
  /** Folder in which images and weights must lie after links are resolved; null: no limit. */
  readonly dataRoot: string | null;
  /** Maximum number of pixels of an image. */
  readonly maxImagePixels: number;
  /** Maximum size of the copies of a remote store's files in `cacheDir`; the least recently used are removed first. */
  readonly artifactCacheBytes: number;
  readonly stateDir: string;
  readonly checkpointSeconds: number;
  /** Time in which workers may save after SIGTERM. */
  readonly saveMs: number;
  /** Address `host:port` of /metrics, /healthz and /readyz over HTTP; null: off. */
  readonly metricsListen: string | null;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

/** Time for handing tasks back after workers have saved, and then for ending the process. */
export const HAND_BACK_MS = 5_000;
const END_MS = 5_000;

type Environment = Readonly<Record<string, string | undefined>>;

export const TRAINER_SETTINGS = {
  GRAFT_COORDINATOR: {
    schema: z.string().transform(addressesOf),
    default: '127.0.0.1:50051',
    help: 'host:port of the coordinator, or several separated by commas',
  },
  ...CONNECTION_SETTINGS,
  GRAFT_TRAINER_ID: {
    schema: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores'),
    unset: '<hostname>-<random, kept in the state folder>',
    help: 'identity of the trainer, stable over restarts',
  },
  GRAFT_TRAINER_SAVE_MS: {
    schema: milliseconds(0, 3_600_000),
    default: 20_000,
    help: 'milliseconds that workers may take to save after SIGTERM',
  },
  GRAFT_TRAINER_CACHE_BYTES: {
    schema: integer(0, 2 ** 50, 'bytes'),
    default: 20 * 2 ** 30,
    help: 'bytes that copies of files from S3 may take in the cache folder; the least recently used are removed first',
  },
  GRAFT_TRAINER_METRICS_LISTEN: {
    schema: listenAddress(),
    unset: 'off',
    help: 'host:port for /metrics, /healthz and /readyz over HTTP',
  },
  GRAFT_SLOTS: {
    schema: integer(1, 64),
    unset: 'number of NVIDIA GPUs, else 1',
    help: 'slots, each with a worker process',
  },
  GRAFT_SLOT_THREADS: { schema: integer(1, 1024), unset: 'cores / slots', help: 'TensorFlow threads of a slot' },
  GRAFT_DATA_ROOT: {
    schema: z.string().startsWith('/', 'must be an absolute path'),
    unset: 'anywhere',
    help: 'folder that must contain the images and weights of a sweep, with links resolved',
  },
  [MAX_IMAGE_PIXELS_SETTING]: {
    schema: integer(1, MOST_IMAGE_PIXELS, 'pixels'),
    default: DEFAULT_MAX_IMAGE_PIXELS,
    help:
      'pixels that an image may have, read from its header; larger images are refused by name. The default is 0.5 GB decoded, ' +
      'in each of up to 8 processes a slot',
  },
  GRAFT_CHECKPOINT_SECONDS: {
    schema: secondsBetweenSaves(),
    default: 10,
    help: 'seconds between two saves of the latest training state',
  },
  ...SHARED_SETTINGS,
} satisfies Settings;

function secondsBetweenSaves(): z.ZodType<number> {
  const error = 'must be a number from 0.1 to 86400 seconds';
  return z.coerce.number({ error }).min(0.1, error).max(86_400, error);
}

/** The output of `--help`. */
export const TRAINER_HELP = `graft trainer: leases tasks from a coordinator and trains.

Usage: graft trainer [--coordinator HOST:PORT] [--check-config] [--help]

  --coordinator    overrides GRAFT_COORDINATOR
  --check-config   print the settings and exit; exit code 78 if they can't be used

Settings are environment variables (default):
${settingsHelp(TRAINER_SETTINGS)}
SIGTERM or SIGINT: the trainer leases no new task, saves, hands its tasks back and exits with 0. A second one ends it at once with
exit code 130.
`;

/**
 * Reads the trainer's configuration; nothing else of the trainer reads the environment.
 *
 * @throws ConfigError with every problem.
 */
export function readTrainerConfig(env: Environment): TrainerConfig {
  const read = readSettings(TRAINER_SETTINGS, env, ['GRAFT_TRAINER_', 'GRAFT_SLOT', 'GRAFT_TLS_', 'GRAFT_TOKEN']);
  const paths = resolvePaths(env);
  const gpus = findGpus(env);
  const slotCount = read.GRAFT_SLOTS ?? Math.max(1, gpus.length);
  return {
    coordinatorAddresses: read.GRAFT_COORDINATOR,
    connection: connectionConfigOf(read),
    trainerId: read.GRAFT_TRAINER_ID ?? null,
    hostname: hostname(),
    version: readVersion(),
    slotCount,
    gpuDevices: gpus,
    threadsPerSlot: read.GRAFT_SLOT_THREADS ?? Math.max(1, Math.floor(availableParallelism() / slotCount)),
    artifactsDir: read.GRAFT_ARTIFACTS_DIR ?? join(paths.stateDir, 'artifacts'),
    cacheDir: paths.cacheDir,
    dataRoot: read.GRAFT_DATA_ROOT ?? null,
    maxImagePixels: read[MAX_IMAGE_PIXELS_SETTING],
    artifactCacheBytes: read.GRAFT_TRAINER_CACHE_BYTES,
    stateDir: paths.stateDir,
    checkpointSeconds: read.GRAFT_CHECKPOINT_SECONDS,
    saveMs: read.GRAFT_TRAINER_SAVE_MS,
    metricsListen: read.GRAFT_TRAINER_METRICS_LISTEN ?? null,
    logLevel: read.GRAFT_LOG_LEVEL,
  };
}

/** Returns the milliseconds that a graceful end may take: workers save, tasks are handed back, the process ends. */
export function trainerGraceMs(config: Pick<TrainerConfig, 'saveMs'>): number {
  return config.saveMs + HAND_BACK_MS + END_MS;
}

function addressesOf(text: string, context: z.RefinementCtx): readonly string[] {
  try {
    return parseAddresses(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
}

/** Returns the CUDA devices that this process may use; none without NVIDIA's driver. */
function findGpus(env: Environment): readonly string[] {
  const visible = env['CUDA_VISIBLE_DEVICES'];
  if (visible !== undefined) {
    return visible.split(',').filter((device) => device !== '' && device !== '-1');
  }
  return Array.from({ length: countGpus() }, (_, index) => String(index));
}

function countGpus(): number {
  const driver = '/proc/driver/nvidia/gpus';
  if (existsSync(driver)) return readdirSync(driver).length;
  try {
    // Some containers hide the driver's folder but have its tool.
    const list = execFileSync('nvidia-smi', ['-L'], { timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
    return list.toString('utf8').match(/^GPU \d+:/gm)?.length ?? 0;
  } catch {
    return 0;
  }
}
