import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { applyMigrations } from '../../platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../platform/db/embedded-postgres.ts';
import type { EmbeddedPostgres } from '../../platform/db/embedded-postgres.ts';
import { EXIT_CONFIG } from '../../platform/lifecycle/run-process.ts';
import { freePort, isFreePort } from '../../platform/net/free-port.ts';
import type { GraftPaths } from '../../platform/paths.ts';
import { isUnavailable } from '../../platform/rpc/errors.ts';
import { CliError, UsageError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Steps } from '../terminal/steps.ts';
import type { TrainerRecord } from '../../core/records/trainer.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { GraftClient } from '../client/client-port.ts';
import { withoutConnectionSettings } from '../context/connection-options.ts';
import { ClusterLock } from './cluster-lock.ts';
import { lastFatalMessage } from './last-fatal.ts';
import { LogTail } from './log-tail.ts';
import { nodeCommand } from './node-command.ts';
import { PostgresKeeper } from './postgres-keeper.ts';
import { SupervisedProcess } from './supervised-process.ts';

const DEFAULT_PORT = 50_051;

/** Grace times, longer than those of the services themselves (30 s and 20 s). */
const TRAINER_GRACE_MS = 35_000;
const COORDINATOR_GRACE_MS = 25_000;
const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 100;

export interface LocalClusterOptions {
  readonly paths: GraftPaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly openClient: (address: string) => GraftClient;
  readonly trainers: number;
  /** Slots of each trainer; null: one per GPU, else one. */
  readonly slots: number | null;
  /** Threads of one slot; null: the cores, divided evenly among all slots. */
  readonly threadsPerSlot: number | null;
  /** Port of the coordinator; null: 50051 if it is free, else a free one. */
  readonly port: number | null;
  /** PostgreSQL to use; null: an embedded one in the state folder. */
  readonly databaseUrl: string | null;
  /** Takes the artifact store over from another cluster when the coordinator first starts. */
  readonly adoptsStore?: boolean;
  /** Receives the children's log lines, prefixed with their name; null: none. */
  readonly onLogLine: ((line: string) => void) | null;
  /** Reports to the user, also after the start. */
  readonly steps: Steps;
  readonly signal: AbortSignal;
}

/** PostgreSQL, a coordinator and trainers on this machine. */
export interface LocalCluster {
  /** `host:port` of the coordinator. */
  readonly address: string;
  readonly databaseUrl: string;
  readonly logDir: string;
  /** Stops the trainers, which hand their tasks back, then the coordinator, then PostgreSQL. May be called again. */
  stop(): Promise<void>;
  /** Kills all processes at once; `stop` then only waits. */
  kill(): void;
}

/**
 * Starts all parts and waits until the trainers are ready. A part that dies later is restarted.
 *
 * @throws ClusterRunningError if a cluster runs on this state folder; EmbeddedPostgresError; CliError if a part does not start;
 * LockTimeoutError if another process has been starting this cluster or its database for too long. All started parts are stopped then.
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const lock = await ClusterLock.acquire(options.paths.stateDir, (text) => options.steps.say(text));
  const parts = new ClusterParts(options, lock);
  try {
    return await parts.start();
  } catch (error) {
    if (options.signal.aborted) options.steps.say('interrupted: stopping what has started …');
    await parts.stop();
    options.signal.throwIfAborted();
    throw error;
  }
}

class ClusterParts {
  readonly #options: LocalClusterOptions;
  readonly #lock: ClusterLock;
  readonly #logDir: string;
  readonly #tails: LogTail[] = [];
  readonly #freshness = new TrainerFreshness();
  #postgres: PostgresKeeper | null = null;
  #coordinator: SupervisedProcess | null = null;
  #trainers: readonly SupervisedProcess[] = [];
  #stopped: Promise<void> | null = null;

  constructor(options: LocalClusterOptions, lock: ClusterLock) {
    this.#options = options;
    this.#lock = lock;
    this.#logDir = join(options.paths.stateDir, 'logs');
  }

  async start(): Promise<LocalCluster> {
    const { signal } = this.#options;
    const { steps } = this.#options;
    const databaseUrl =
      this.#options.databaseUrl ??
      (await steps.run(
        'starting PostgreSQL',
        () => this.#startPostgres(),
        () => 'PostgreSQL is ready',
      ));
    signal.throwIfAborted();
    await steps.run('migrating the database', () => applyMigrations(databaseUrl), describeMigrations);
    const port = await choosePort(this.#options.port, steps);
    const address = `127.0.0.1:${port}`;
    this.#lock.update({ address, databaseUrl });
    signal.throwIfAborted();
    this.#coordinator = this.#child('coordinator', 'coordinator/main', {
      DATABASE_URL: databaseUrl,
      GRAFT_COORDINATOR_LISTEN: address,
      GRAFT_ARTIFACTS_DIR: this.#artifactsDir,
      ...(this.#options.adoptsStore === true ? { GRAFT_COORDINATOR_ADOPT_STORE: 'on' } : {}),
    });
    this.#coordinator.start();
    const client = this.#options.openClient(address);
    try {
      // Trainers wait for a coordinator by themselves, so that they load TensorFlow in the meantime.
      this.#trainers = Array.from({ length: this.#options.trainers }, (_, index) => this.#trainer(index, address));
      for (const trainer of this.#trainers) trainer.start();
      await steps.run(
        'starting the coordinator',
        () => this.#waitForCoordinator(client),
        () => `Coordinator is ready at ${address}`,
      );
      const count = this.#trainers.length;
      const trainers = countOf(count, 'trainer');
      await steps.run(
        `starting ${trainers}, which load TensorFlow`,
        () => this.#waitForTrainers(client),
        () => `${trainers} ready`,
      );
    } finally {
      client.close();
    }
    return { address, databaseUrl, logDir: this.#logDir, stop: () => this.stop(), kill: () => this.kill() };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopInOrder();
    return this.#stopped;
  }

  kill(): void {
    for (const trainer of this.#trainers) trainer.kill();
    this.#coordinator?.kill();
    this.#postgres?.kill();
  }

  async #stopInOrder(): Promise<void> {
    await Promise.all(this.#trainers.map((trainer) => trainer.stop(TRAINER_GRACE_MS)));
    await this.#coordinator?.stop(COORDINATOR_GRACE_MS);
    await this.#postgres?.stop();
    for (const tail of this.#tails) tail.close();
    this.#lock.release();
  }

  readonly #say = (text: string): void => this.#options.steps.say(text);

  get #artifactsDir(): string {
    return this.#options.env['GRAFT_ARTIFACTS_DIR'] || join(this.#options.paths.stateDir, 'artifacts');
  }

  async #startPostgres(): Promise<string> {
    const logFile = join(this.#logDir, 'postgres.log');
    this.#postgres = new PostgresKeeper({
      logFile,
      say: this.#say,
      start: (log): Promise<EmbeddedPostgres> =>
        startEmbeddedPostgres({ dataDir: join(this.#options.paths.stateDir, 'postgres'), log }),
    });
    this.#tail('postgres', logFile);
    return this.#postgres.start();
  }

  #trainer(index: number, address: string): SupervisedProcess {
    const { slots, trainers, threadsPerSlot, env } = this.#options;
    const fair = Math.max(1, Math.floor(availableParallelism() / (trainers * (slots ?? 1))));
    const threads = threadsPerSlot ?? (env['GRAFT_SLOT_THREADS'] || fair);
    return this.#child(`trainer-${index}`, 'trainer/main', {
      GRAFT_COORDINATOR: address,
      GRAFT_ARTIFACTS_DIR: this.#artifactsDir,
      GRAFT_SLOT_THREADS: String(threads),
      ...(slots === null ? {} : { GRAFT_SLOTS: String(slots) }),
    });
  }

  #child(name: string, module: string, env: Readonly<Record<string, string>>): SupervisedProcess {
    const { paths } = this.#options;
    const logFile = join(this.#logDir, `${name}.log`);
    this.#tail(name, logFile);
    return new SupervisedProcess({
      name,
      command: nodeCommand(module, { endWithParent: true }),
      env: {
        ...(withoutConnectionSettings(this.#options.env) as NodeJS.ProcessEnv),
        GRAFT_STATE_DIR: paths.stateDir,
        GRAFT_CACHE_DIR: paths.cacheDir,
        END_WITH_PARENT: '1',
        ...env,
      },
      logFile,
      say: this.#say,
      onPid: () => this.#lock.setChildren(this.#pids()),
    });
  }

  #pids(): readonly number[] {
    return [this.#coordinator, ...this.#trainers].flatMap((child) => child?.pid ?? []);
  }

  #tail(name: string, logFile: string): void {
    const { onLogLine } = this.#options;
    if (onLogLine !== null) this.#tails.push(new LogTail(logFile, (line) => onLogLine(`${name} | ${line}`)));
  }

  async #waitForCoordinator(client: GraftClient): Promise<void> {
    await this.#poll(
      async () => {
        await client.listTrainers();
        return true;
      },
      () => 'the coordinator does not answer',
    );
  }

  async #waitForTrainers(client: GraftClient): Promise<void> {
    const { trainers } = this.#options;
    let seen = 0;
    await this.#poll(
      async () => {
        seen = this.#freshness.countReady(await client.listTrainers());
        return seen >= trainers;
      },
      () => `${seen} of ${countOf(trainers, 'trainer')} ${seen === 1 ? 'is' : 'are'} ready`,
    );
  }

  /** Waits until a call of the coordinator returns true. @throws CliError after `READY_TIMEOUT_MS` */
  async #poll(isReady: () => Promise<boolean>, describe: () => string): Promise<void> {
    const { signal } = this.#options;
    const deadline = performance.now() + READY_TIMEOUT_MS;
    for (;;) {
      signal.throwIfAborted();
      this.#refuseCrashing();
      try {
        if (await isReady()) return;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
      }
      if (performance.now() > deadline) {
        throw new CliError(
          `After ${READY_TIMEOUT_MS / 1_000} s, ${describe()}. See the logs in ${this.#logDir}.`,
          EXIT.unavailable,
        );
      }
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  /** @throws CliError if a part keeps dying while it starts. */
  #refuseCrashing(): void {
    for (const child of [this.#coordinator, ...this.#trainers]) {
      // A restart does not fix an invalid setting.
      const isMisconfigured = child?.lastExitCode === EXIT_CONFIG;
      if (child === null || !(child.startCount > 3 || isMisconfigured)) continue;
      const logFile = join(this.#logDir, `${child.name}.log`);
      const reason = lastFatalMessage(logFile);
      throw new CliError(
        `${child.name} does not start${reason === null ? '' : `: ${reason}`}. Its log: ${logFile}`,
        isMisconfigured ? EXIT.usage : EXIT.failure,
      );
    }
  }
}

/**
 * Distinguishes the cluster's trainers from those of an earlier cluster, which remain listed for a while: a trainer is ready when
 * it has sent a heartbeat since the start. The database's clock may differ from this machine's; then a changed heartbeat time
 * counts.
 */
class TrainerFreshness {
  readonly #began = Date.now();
  readonly #first = new Map<string, number>();

  countReady(trainers: readonly TrainerRecord[]): number {
    return trainers.filter(({ trainerId, state, heartbeatTime }) => {
      const time = heartbeatTime.getTime();
      const first = this.#first.get(trainerId) ?? time;
      this.#first.set(trainerId, first);
      return state === 'READY' && (time >= this.#began || time > first);
    }).length;
  }
}

function describeMigrations(applied: readonly string[]): string {
  if (applied.length === 0) return 'Database is up to date';
  return `Database is migrated: ${countOf(applied.length, 'migration')}`;
}

async function choosePort(wanted: number | null, steps: Steps): Promise<number> {
  if (wanted !== null) {
    if (await isFreePort(wanted)) return wanted;
    throw new UsageError(`--port: ${wanted} is in use by another program. Choose another port.`);
  }
  if (await isFreePort(DEFAULT_PORT)) return DEFAULT_PORT;
  const port = await freePort();
  steps.say(`port ${DEFAULT_PORT} is in use; the coordinator listens on ${port}`);
  return port;
}
