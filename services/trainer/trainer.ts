import { join } from 'node:path';
import { isMachineFault } from '../core/machine-fault.ts';
import type { TaskError } from '../core/task.ts';
import { artifactCacheFolder, copiedNames } from '../platform/artifacts/artifact-cache.ts';
import { openArtifactStore } from '../platform/artifacts/open-artifact-store.ts';
import { nodeProgram } from '../platform/lifecycle/node-program.ts';
import type { NodeProgram } from '../platform/lifecycle/node-program.ts';
import { clientSecurity } from '../platform/rpc/security/client-security.ts';
import type { Logger } from '../platform/telemetry/logger.ts';
import { HAND_BACK_MS } from './config.ts';
import type { TrainerConfig } from './config.ts';
import type { Coordinator, TrainerDescription } from './lease/coordinator-port.ts';
import { GrpcCoordinator } from './lease/grpc-coordinator.ts';
import { Heartbeat } from './lease/heartbeat.ts';
import { MachineHealth } from './lease/machine-health.ts';
import { removeOldJournals } from './lease/metric-journal.ts';
import { MetricStream } from './lease/metric-stream.ts';
import { Registration } from './lease/registration.ts';
import { claimTrainerIdentity, trainerSecretOf } from './lease/trainer-identity.ts';
import { RestartingWorker } from './slots/restarting-worker.ts';
import { Slot } from './slots/slot.ts';
import type { WorkerProcessOptions } from './slots/worker-process.ts';
import type { EngineInfo } from './engine/engine-info.ts';
import type { WorkerEnvironment } from './slots/worker-protocol.ts';
import { MeteredCoordinator } from './telemetry/metered-coordinator.ts';
import { startOperations } from './telemetry/operations.ts';

export interface TrainerOptions {
  readonly config: TrainerConfig;
  readonly log: Logger;
  /** Default: the TensorFlow worker. */
  readonly workerProgram?: NodeProgram;
}

/**
 * Runs a trainer until the signal aborts, then drains it: it leases no more, workers save, and tasks are handed back. Waits
 * for a coordinator for as long as none answers.
 *
 * @throws {ConfigError} for certificates or a token that can't be used.
 * @throws {WorkerStartError} when no worker can be started at all.
 */
export async function runTrainer(options: TrainerOptions, signal: AbortSignal): Promise<void> {
  const { config, log } = options;
  const security = clientSecurity(config.connection, config.coordinatorAddresses, log);
  const identity =
    config.trainerId === null
      ? claimTrainerIdentity(config.stateDir, config.hostname, process.pid)
      : {
          trainerId: config.trainerId,
          trainerSecret: trainerSecretOf(config.stateDir, config.trainerId),
          release: (): void => undefined,
        };
  const { trainerId } = identity;
  const onDrained = (reason: string): void =>
    log.error({ trainer_id: trainerId, reason }, 'the coordinator gives this trainer no more work');
  const grpc = new GrpcCoordinator(config.coordinatorAddresses, identity, security, onDrained);
  const { cacheDir, hostname, metricsListen: listen, gpuDevices } = config;
  const operations = listen === null ? null : await startOperations({ listen, log, hasGpus: gpuDevices.length > 0 });
  const coordinator = operations === null ? grpc : new MeteredCoordinator(grpc, operations.metrics);
  const artifacts = await openArtifactStore(config.artifactsDir);
  const health = new MachineHealth({ artifacts, cacheDir, hostname, trainerId });
  const workers = Array.from(
    { length: config.slotCount },
    (_, slotIndex) => new RestartingWorker(workerOptions(options, slotIndex), log.child({ slot: slotIndex })),
  );
  const parts = { config, log, trainerId, coordinator, health, workers };
  const ending = new AbortController();
  try {
    const registration = await start(parts, signal, ending);
    if (registration !== null) await work(parts, registration, signal, ending);
  } finally {
    ending.abort(new Error('The trainer ends.'));
    await Promise.all(workers.map((worker) => worker.close()));
    coordinator.close();
    await operations?.server.stop();
    identity.release();
    log.info('trainer has ended');
  }
}

interface TrainerParts {
  readonly config: TrainerConfig;
  readonly log: Logger;
  readonly trainerId: string;
  readonly coordinator: Coordinator;
  readonly health: MachineHealth;
  /** Workers by slot index. */
  readonly workers: readonly RestartingWorker[];
}

/**
 * Starts the workers, which report their devices, and registers the trainer.
 *
 * @param ending ends the registration's retries and checks.
 * @returns null when the signal aborts first.
 */
async function start(parts: TrainerParts, signal: AbortSignal, ending: AbortController): Promise<Registration | null> {
  const { config, log, coordinator, health, workers } = parts;
  const giveUp = (): void => ending.abort(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const interrupted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    const engines = await Promise.race([Promise.all(workers.map((worker) => worker.start(signal))), interrupted]);
    removeOldJournals(journalsOf(config), Date.now());
    const description = describe(parts, engines);
    return await Registration.open({ coordinator, description, health, log, signal: ending.signal });
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/**
 * Runs the slots with one heartbeat and one metric stream until the signal aborts, then drains them.
 *
 * @param ending ends a registration that the heartbeat or the metric stream waits for.
 */
async function work(
  parts: TrainerParts,
  registration: Registration,
  signal: AbortSignal,
  ending: AbortController,
): Promise<void> {
  const { config, log, coordinator, health, workers } = parts;
  /** Schedules a check of the machine when an error is its fault. */
  const checked = async <T extends TaskError | null>(found: Promise<T>): Promise<T> => {
    const error = await found;
    if (error !== null && isMachineFault(error)) registration.suspect(error.code === 'STORE_FOREIGN');
    return error;
  };
  const shared = {
    coordinator,
    log,
    timing: () => registration.timing,
    register: () => registration.renew(),
  };
  const metricStream = new MetricStream({ ...shared, journalDirectory: journalsOf(config) });
  const heldFeatureKeys = new Set(await copiedFeatureKeys(config.cacheDir));
  const slots = workers.map(
    (worker, slotIndex) =>
      new Slot({
        ...shared,
        slotIndex,
        worker,
        metricStream,
        beforeTask: () => checked(health.beforeTask()),
        explain: (error, task) => checked(health.explain(error, task)),
        heldFeatureKeys,
        log: log.child({ slot: slotIndex }),
      }),
  );
  const heartbeat = new Heartbeat({
    ...shared,
    tasks: () => slots.map(({ progress }) => progress).filter((progress) => progress !== null),
    isDraining: () => signal.aborted,
    onDirective: (directive) => {
      for (const slot of slots) slot.obey(directive);
    },
    onSilence: (silentMs) => {
      for (const slot of slots) slot.pauseForSilence(silentMs);
    },
  });
  try {
    metricStream.start();
    heartbeat.start();
    log.info({ coordinator: config.coordinatorAddresses, slots: config.slotCount }, 'trainer is ready');
    const running = Promise.all(slots.map((slot) => slot.run(signal, () => heartbeat.trigger())));
    await aborted(signal);
    heartbeat.trigger();
    await drain(parts, slots, running);
  } finally {
    ending.abort(new Error('The trainer ends.'));
    await heartbeat.stop();
    await metricStream.stop();
    for (const slot of slots) slot.close();
  }
}

/** Waits while workers save and tasks are handed back; kills the workers that take longer than `saveMs`. */
async function drain({ log, config }: TrainerParts, slots: readonly Slot[], running: Promise<unknown>): Promise<void> {
  log.info({ save_ms: config.saveMs }, 'draining: workers save, tasks are handed back');
  if (await endsWithin(running, config.saveMs)) return;
  for (const slot of slots) slot.killAndRelease();
  if (await endsWithin(running, HAND_BACK_MS)) return;
  log.warn('not every task could be handed back; the remaining leases will expire');
}

function describe({ trainerId, config }: TrainerParts, engines: readonly EngineInfo[]): TrainerDescription {
  return {
    trainerId,
    hostname: config.hostname,
    version: config.version,
    engineVersion: engines[0]?.engineVersion ?? '',
    slots: engines.map(({ deviceKind, deviceName, memoryBytes, threadCount }, slotIndex) => ({
      slotIndex,
      deviceKind,
      deviceName,
      memoryBytes,
      threadCount,
    })),
  };
}

function journalsOf({ stateDir }: TrainerConfig): string {
  return join(stateDir, 'journals');
}

/** Returns the keys of feature sets whose files an earlier process has left in the cache. */
async function copiedFeatureKeys(cacheDir: string): Promise<readonly string[]> {
  const names = await copiedNames(artifactCacheFolder(cacheDir));
  return names.flatMap((name) => /^([0-9a-f]{64})\.safetensors$/.exec(name)?.[1] ?? []);
}

function workerOptions(options: TrainerOptions, slotIndex: number): WorkerProcessOptions {
  const { config, log, workerProgram = nodeProgram('trainer/worker') } = options;
  const own: WorkerEnvironment = {
    GRAFT_ARTIFACTS_DIR: config.artifactsDir,
    GRAFT_CACHE_DIR: config.cacheDir,
    GRAFT_TRAINER_CACHE_BYTES: String(config.artifactCacheBytes),
    GRAFT_SLOT_THREADS: String(config.threadsPerSlot),
    GRAFT_CHECKPOINT_SECONDS: String(config.checkpointSeconds),
    GRAFT_MAX_IMAGE_PIXELS: String(config.maxImagePixels),
    ...(config.dataRoot === null ? {} : { GRAFT_DATA_ROOT: config.dataRoot }),
  };
  const { gpuDevices } = config;
  const device = gpuDevices.length === 0 ? '-1' : (gpuDevices[slotIndex % gpuDevices.length] ?? '-1');
  return {
    script: workerProgram.script,
    execArgv: workerProgram.execArgv,
    env: {
      ...process.env,
      // A worker makes no calls to the coordinator.
      GRAFT_TOKEN: undefined,
      ...own,
      CUDA_VISIBLE_DEVICES: device,
      // TensorFlow reads these when it is loaded. One op runs at a time, so a second inter-op thread would be idle.
      TF_NUM_INTRAOP_THREADS: String(config.threadsPerSlot),
      TF_NUM_INTEROP_THREADS: '1',
    },
    log,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
