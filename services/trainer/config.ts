import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ConfigError, readConfig } from '../platform/config/read-config.ts';
import { resolvePaths } from '../platform/paths.ts';
import { parseAddresses } from '../platform/rpc/client.ts';

export interface TrainerConfig {
  readonly coordinatorAddresses: readonly string[];
  /** null: `<hostname>-<random>`, the random part kept in the state folder. */
  readonly trainerId: string | null;
  readonly hostname: string;
  readonly version: string;
  readonly slotCount: number;
  /** CUDA device of each slot; empty: no GPU. */
  readonly gpuDevices: readonly string[];
  readonly threadsPerSlot: number;
  readonly artifactsDir: string;
  readonly cacheDir: string;
  readonly stateDir: string;
  readonly checkpointSeconds: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

type Environment = Readonly<Record<string, string | undefined>>;

const wholeNumber = (max: number) =>
  z.coerce.number({ error: 'must be a whole number' }).int('must be a whole number').min(1).max(max);

const schema = z.object({
  GRAFT_COORDINATOR: z.string().default('127.0.0.1:50051').transform(addressesOf),
  GRAFT_TRAINER_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores')
    .optional(),
  GRAFT_SLOTS: wholeNumber(64).optional(),
  GRAFT_SLOT_THREADS: wholeNumber(1024).optional(),
  GRAFT_ARTIFACTS_DIR: z.string().optional(),
  GRAFT_CACHE_DIR: z.string().optional(),
  GRAFT_STATE_DIR: z.string().optional(),
  GRAFT_CHECKPOINT_SECONDS: z.coerce.number({ error: 'must be a number' }).min(0.1).max(86_400).default(10),
  GRAFT_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** For `--help`. */
export const TRAINER_HELP = `graft trainer: leases tasks from a coordinator and trains.

Everything is set by environment variables:
  GRAFT_COORDINATOR         host:port of the coordinator, or several with commas (127.0.0.1:50051)
  GRAFT_TRAINER_ID          identity, stable over restarts (<hostname>-<random, kept in the state folder>)
  GRAFT_SLOTS               slots, each a worker process (number of NVIDIA GPUs, else 1)
  GRAFT_SLOT_THREADS        threads of one slot's TensorFlow (cores / slots)
  GRAFT_ARTIFACTS_DIR       artifact store, a folder all trainers share (<state folder>/artifacts)
  GRAFT_CACHE_DIR           what can be made again (\${XDG_CACHE_HOME:-~/.cache}/graft)
  GRAFT_STATE_DIR           what must stay (\${XDG_DATA_HOME:-~/.local/share}/graft)
  GRAFT_CHECKPOINT_SECONDS  seconds between saves of the newest state (10)
  GRAFT_LOG_LEVEL           fatal, error, warn, info, debug, trace or silent (info)

SIGTERM or SIGINT: takes no new task, saves, hands tasks back, ends with 0; a second one ends at once with 130.
`;

/**
 * Reads the trainer's configuration; nothing else of the trainer reads the environment.
 *
 * @throws ConfigError with every problem.
 */
export function readTrainerConfig(env: Environment): TrainerConfig {
  const read = readConfig(schema, env, ['GRAFT_TRAINER_', 'GRAFT_SLOT']);
  const paths = resolvePaths(env);
  const gpus = findGpus(env);
  const slotCount = read.GRAFT_SLOTS ?? Math.max(1, gpus.length);
  return {
    coordinatorAddresses: read.GRAFT_COORDINATOR,
    trainerId: read.GRAFT_TRAINER_ID ?? null,
    hostname: hostname(),
    version: readVersion(),
    slotCount,
    gpuDevices: gpus,
    threadsPerSlot: read.GRAFT_SLOT_THREADS ?? Math.max(1, Math.floor(availableParallelism() / slotCount)),
    artifactsDir: read.GRAFT_ARTIFACTS_DIR ?? join(paths.stateDir, 'artifacts'),
    cacheDir: paths.cacheDir,
    stateDir: paths.stateDir,
    checkpointSeconds: read.GRAFT_CHECKPOINT_SECONDS,
    logLevel: read.GRAFT_LOG_LEVEL,
  };
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

/** From the nearest package.json upwards: the sources and the built files lie at different depths. */
function readVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (existsSync(path)) {
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version?: string };
      if (version !== undefined) return version;
    }
    if (folder === dirname(folder))
      throw new ConfigError(['package.json: not found above the trainer; reinstall Graft.']);
  }
}
