import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ARTIFACT_ADDRESS_RULE, isArtifactAddress } from '../platform/artifacts/open-artifact-store.ts';
import { CONNECTION_HELP, CONNECTION_SETTINGS, connectionConfigOf } from '../platform/config/connection-settings.ts';
import type { ConnectionConfig } from '../platform/config/connection-settings.ts';
import { listenAddress } from '../platform/config/listen-address.ts';
import { readConfig } from '../platform/config/read-config.ts';
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
  /** Folder that images and weights of a spec must lie in, wherever links lead; null: anywhere. */
  readonly dataRoot: string | null;
  /** Pixels that an image may have. */
  readonly maxImagePixels: number;
  /** What copies of a remote artifact store's files may take there; the least recently used ones go first. */
  readonly artifactCacheBytes: number;
  readonly stateDir: string;
  readonly checkpointSeconds: number;
  /** How long workers may save after SIGTERM. */
  readonly saveMs: number;
  /** `host:port` of /metrics, /healthz and /readyz over HTTP; null: off. */
  readonly metricsListen: string | null;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

/** After the workers' time to save: for handing tasks back, and for the process to end. */
export const HAND_BACK_MS = 5_000;
const END_MS = 5_000;

type Environment = Readonly<Record<string, string | undefined>>;

const wholeNumber = (max: number) =>
  z.coerce.number({ error: 'must be a whole number' }).int('must be a whole number').min(1).max(max);

const schema = z.object({
  GRAFT_COORDINATOR: z.string().default('127.0.0.1:50051').transform(addressesOf),
  ...CONNECTION_SETTINGS,
  GRAFT_TRAINER_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores')
    .optional(),
  GRAFT_SLOTS: wholeNumber(64).optional(),
  GRAFT_SLOT_THREADS: wholeNumber(1024).optional(),
  GRAFT_ARTIFACTS_DIR: z.string().refine(isArtifactAddress, ARTIFACT_ADDRESS_RULE).optional(),
  GRAFT_DATA_ROOT: z.string().startsWith('/', 'must be an absolute path').optional(),
  [MAX_IMAGE_PIXELS_SETTING]: wholeNumber(MOST_IMAGE_PIXELS).default(DEFAULT_MAX_IMAGE_PIXELS),
  GRAFT_CACHE_DIR: z.string().optional(),
  GRAFT_STATE_DIR: z.string().optional(),
  GRAFT_CHECKPOINT_SECONDS: z.coerce.number({ error: 'must be a number' }).min(0.1).max(86_400).default(10),
  GRAFT_TRAINER_SAVE_MS: z.coerce
    .number({ error: 'must be a whole number of milliseconds' })
    .int('must be a whole number')
    .min(0)
    .max(3_600_000)
    .default(20_000),
  GRAFT_TRAINER_CACHE_BYTES: z.coerce
    .number({ error: 'must be a whole number of bytes' })
    .int('must be a whole number')
    .min(0)
    .max(2 ** 50)
    .default(20 * 2 ** 30),
  GRAFT_TRAINER_METRICS_LISTEN: listenAddress().optional(),
  GRAFT_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** All environment variables that a trainer reads, for the checks of images and manifests. */
export const TRAINER_SETTINGS: readonly string[] = Object.keys(schema.shape);

/** For `--help`. */
export const TRAINER_HELP = `graft trainer: leases tasks from a coordinator and trains.

Usage: graft trainer [--coordinator HOST:PORT] [--check-config] [--help]

  --coordinator    instead of GRAFT_COORDINATOR
  --check-config   print the settings and end; 78 where they can't be used

Everything is set by environment variables:
  GRAFT_COORDINATOR             host:port of the coordinator, or several with commas (127.0.0.1:50051)
${CONNECTION_HELP}  GRAFT_TRAINER_ID              identity, stable over restarts (<hostname>-<random, kept in the state folder>)
  GRAFT_TRAINER_SAVE_MS         how long workers may save after SIGTERM (20000)
  GRAFT_TRAINER_CACHE_BYTES     what copies of files from S3 may take in the cache folder (21474836480, 20 GiB)
  GRAFT_TRAINER_METRICS_LISTEN  host:port for /metrics, /healthz and /readyz over HTTP (off)
  GRAFT_SLOTS                   slots, each a worker process (number of NVIDIA GPUs, else 1)
  GRAFT_SLOT_THREADS            threads of one slot's TensorFlow (cores / slots)
  GRAFT_ARTIFACTS_DIR           artifact store, a folder all trainers share, or s3://<bucket>/<prefix>, with
                                AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID … (<state folder>/artifacts)
  GRAFT_DATA_ROOT               folder that images and weights of a sweep must lie in, wherever links lead (anywhere)
  GRAFT_MAX_IMAGE_PIXELS        pixels that an image may have, read from its header; larger ones are refused by name (178956970:
                                0.5 GB decoded, in each of up to 8 processes a slot)
  GRAFT_CACHE_DIR               what can be made again (\${XDG_CACHE_HOME:-~/.cache}/graft)
  GRAFT_STATE_DIR               what must stay (\${XDG_DATA_HOME:-~/.local/share}/graft)
  GRAFT_CHECKPOINT_SECONDS      seconds between saves of the newest state (10)
  GRAFT_LOG_LEVEL               fatal, error, warn, info, debug, trace or silent (info)
  OTEL_EXPORTER_OTLP_ENDPOINT   collector of OpenTelemetry traces, for example http://collector:4318; other OTEL_* too (off)

SIGTERM or SIGINT: takes no new task, saves, hands tasks back, ends with 0; a second one ends at once with 130.
`;

/**
 * Reads the trainer's configuration; nothing else of the trainer reads the environment.
 *
 * @throws ConfigError with every problem.
 */
export function readTrainerConfig(env: Environment): TrainerConfig {
  const read = readConfig(schema, env, ['GRAFT_TRAINER_', 'GRAFT_SLOT', 'GRAFT_TLS_', 'GRAFT_TOKEN']);
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

/** How long an orderly end may take: workers save, tasks are handed back, the process ends. Milliseconds. */
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

/** Devices that this process may use, as CUDA names them; none on a machine without NVIDIA's driver. */
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
    // In some containers the driver's folder is hidden, but its tool is there.
    const list = execFileSync('nvidia-smi', ['-L'], { timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
    return list.toString('utf8').match(/^GPU \d+:/gm)?.length ?? 0;
  } catch {
    return 0;
  }
}
