import { join } from 'node:path';
import { isMachineFault } from '../core/machine-fault.ts';
import type { LeasedTask, TaskError } from '../core/task.ts';
import type { Logger } from '../platform/telemetry/logger.ts';
import { clientSecurity } from '../platform/rpc/security/client-security.ts';
import { openArtifactStore } from '../platform/artifacts/open-artifact-store.ts';
import { artifactCacheFolder, copiedNames } from '../platform/artifacts/artifact-cache.ts';
import { HAND_BACK_MS } from './config.ts';
import type { TrainerConfig } from './config.ts';
import type { Coordinator, TrainerDescription } from './lease/coordinator-port.ts';
import { GrpcCoordinator } from './lease/grpc-coordinator.ts';
import { Heartbeat } from './lease/heartbeat.ts';
import { removeOldJournals } from './lease/metric-journal.ts';
import { MetricStream } from './lease/metric-stream.ts';
import { MachineHealth } from './lease/machine-health.ts';
import { Registration } from './lease/registration.ts';
import { claimTrainerIdentity, trainerSecretOf } from './lease/trainer-identity.ts';
import type { EngineInfo, WorkerEnvironment } from './slots/worker-protocol.ts';
import { Slot } from './slots/slot.ts';
import type { WorkerProcessOptions } from './slots/worker-process.ts';
import { nodeProgram } from '../platform/lifecycle/node-program.ts';
import type { NodeProgram } from '../platform/lifecycle/node-program.ts';
import { MeteredCoordinator } from './telemetry/metered-coordinator.ts';
import { startOperations } from './telemetry/operations.ts';

export interface TrainerOptions {
  readonly config: TrainerConfig;
  readonly log: Logger;
  /** The TensorFlow worker if not given. */
  readonly workerProgram?: NodeProgram;
}

/**
 * Runs a trainer until the signal aborts, then drains it: no new tasks, workers save, tasks are handed back. A
 * coordinator that is away is waited for, however long.
 *
 * @throws ConfigError for certificates or a token that can't be used.
 * @throws WorkerStartError when no worker can be started at all.
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
  const onDrained = (reason: string): void =>
    log.error({ trainer_id: identity.trainerId, reason }, 'the coordinator gives this trainer no more work');
  const grpc = new GrpcCoordinator(config.coordinatorAddresses, identity, security, onDrained);
  const { metricsListen: listen, gpuDevices } = config;
  const operations = listen === null ? null : await startOperations({ listen, log, hasGpus: gpuDevices.length > 0 });
  const coordinator = operations === null ? grpc : new MeteredCoordinator(grpc, operations.metrics);
  const { trainerId } = identity;
  const { cacheDir, hostname } = config;
  const artifacts = await openArtifactStore(config.artifactsDir);
  const health = new MachineHealth({ artifacts, cacheDir, hostname, trainerId });
  const trainer = new Trainer(options, coordinator, trainerId, health);
  try {
    await trainer.run(signal);
  } finally {
    await trainer.close();
    coordinator.close();
    await operations?.server.stop();
    identity.release();
    log.info('trainer has ended');
  }
}

/** The composition root: slots, one heartbeat and one metric stream around one coordinator. */
class Trainer {
  readonly #options: TrainerOptions;
  readonly #coordinator: Coordinator;
  readonly #trainerId: string;
  readonly #health: MachineHealth;
  readonly #slots: readonly Slot[];
  /** Of feature sets that this machine has read, made or copied. */
  readonly #heldFeatureKeys = new Set<string>();
  readonly #ending = new AbortController();
  #metricStream: MetricStream | null = null;
  #heartbeat: Heartbeat | null = null;
  #registration: Registration | null = null;
  #isDraining = false;

  constructor(options: TrainerOptions, coordinator: Coordinator, trainerId: string, health: MachineHealth) {
    this.#options = options;
    this.#coordinator = coordinator;
    this.#trainerId = trainerId;
    this.#health = health;
    this.#slots = Array.from(
      { length: options.config.slotCount },
      (_, slotIndex) =>
        new Slot({
          slotIndex,
          worker: workerOptions(options, slotIndex),
          coordinator,
          metricStream: () => required(this.#metricStream),
          timing: () => required(this.#registration).timing,
          register: () => required(this.#registration).renew(),
          beforeTask: () => this.#suspected(health.beforeTask()),
          explain: (error, task) => this.#explain(error, task),
          heldFeatureKeys: this.#heldFeatureKeys,
          onChange: () => this.#heartbeat?.trigger(),
          log: options.log,
        }),
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const { config, log } = this.#options;
    const giveUpStarting = (): void => this.#ending.abort(signal.reason);
    signal.addEventListener('abort', giveUpStarting, { once: true });
    try {
      const engines = await this.#prepareSlots(signal);
      for (const key of await copiedFeatureKeys(config.cacheDir)) this.#heldFeatureKeys.add(key);
      const description = this.#describe(engines);
      this.#registration = new Registration(this.#coordinator, description, this.#health, log, this.#ending.signal);
      removeOldJournals(this.#journals, Date.now());
      await this.#registration.renew();
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUpStarting);
    }
    if (signal.aborted) return;
    log.info({ coordinator: config.coordinatorAddresses, slots: config.slotCount }, 'trainer is ready');
    await this.#work(signal);
  }

  /** Ends whatever is left; nothing is handed back here. */
  async close(): Promise<void> {
    this.#ending.abort(new Error('The trainer ends.'));
    await this.#heartbeat?.stop();
    await this.#metricStream?.stop();
    await Promise.all(this.#slots.map((slot) => slot.close()));
  }

  async #prepareSlots(signal: AbortSignal): Promise<readonly EngineInfo[]> {
    const interrupted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return await Promise.race([Promise.all(this.#slots.map((slot) => slot.prepare(signal))), interrupted]);
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const registration = required(this.#registration);
    const register = (): Promise<void> => registration.renew();
    const metricStream = new MetricStream({
      coordinator: this.#coordinator,
      journalDirectory: this.#journals,
      timing: () => registration.timing,
      log,
      register,
      onStoppedRuns: (lease, runIds) => {
        for (const slot of this.#slots) slot.stopRuns(lease, runIds);
      },
    });
    const heartbeat = new Heartbeat({
      coordinator: this.#coordinator,
      timing: () => registration.timing,
      log,
      register,
      tasks: () => this.#slots.map(({ progress }) => progress).filter((progress) => progress !== null),
      isDraining: () => this.#isDraining,
      onDirective: (directive) => {
        for (const slot of this.#slots) slot.obey(directive);
      },
      onSilence: (silentMs) => {
        for (const slot of this.#slots) slot.pauseForSilence(silentMs);
      },
    });
    this.#metricStream = metricStream;
    this.#heartbeat = heartbeat;
    metricStream.start();
    heartbeat.start();
    const work = Promise.all(this.#slots.map((slot) => slot.run(signal)));
    await aborted(signal);
    await this.#drain(work);
  }

  async #explain(error: TaskError, task: LeasedTask): Promise<TaskError> {
    const explained = await this.#suspected(this.#health.explain(error, task));
    return explained ?? error;
  }

  /** Whoever has found a fault of this machine lets it be looked at again. */
  async #suspected(found: Promise<TaskError | null>): Promise<TaskError | null> {
    const error = await found;
    if (error !== null && isMachineFault(error)) this.#registration?.suspect(error.code === 'STORE_FOREIGN');
    return error;
  }

  /** Workers save, tasks are handed back; what takes too long is cut off. */
  async #drain(work: Promise<unknown>): Promise<void> {
    const {
      log,
      config: { saveMs },
    } = this.#options;
    log.info({ save_ms: saveMs }, 'draining: workers save, tasks are handed back');
    this.#isDraining = true;
    this.#heartbeat?.trigger();
    if (await endsWithin(work, saveMs)) return;
    for (const slot of this.#slots) slot.killAndRelease();
    if (await endsWithin(work, HAND_BACK_MS)) return;
    log.warn('not everything could be handed back; those leases will expire');
  }

  #describe(engines: readonly EngineInfo[]): TrainerDescription {
    const { hostname, version } = this.#options.config;
    return {
      trainerId: this.#trainerId,
      hostname,
      version,
      engineVersion: engines[0]?.engineVersion ?? '',
      slots: engines.map((engine, slotIndex) => ({
        slotIndex,
        deviceKind: engine.deviceKind,
        deviceName: engine.deviceName,
        memoryBytes: engine.memoryBytes,
        threadCount: engine.threadCount,
      })),
    };
  }

  get #journals(): string {
    return join(this.#options.config.stateDir, 'journals');
  }
}

/** Copies of an earlier life are as good as new ones. */
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
      // A worker calls nobody.
      GRAFT_TOKEN: undefined,
      ...own,
      CUDA_VISIBLE_DEVICES: device,
      // TensorFlow reads these when it is loaded. One op runs at a time, so a second inter-op thread would only wait.
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

function required<T>(value: T | null): T {
  if (value === null) throw new Error('The trainer is not running yet.');
  return value;
}
