import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { nodeCommand } from '../../services/cli/cluster/node-command.ts';
import { PostgresKeeper } from '../../services/cli/cluster/postgres-keeper.ts';
import { SupervisedProcess } from '../../services/cli/cluster/supervised-process.ts';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { resolvePaths } from '../../services/platform/paths.ts';
import { childrenOf, sendSignal } from './process-tree.ts';
import type { FaultAction, LinkTarget, ProcessTarget } from './schedule.ts';
import { damageStored, ownCacheDir } from './stored-damage.ts';
import type { StoredTarget } from './stored-damage.ts';
import { TcpProxy } from './tcp-proxy.ts';
import type { ProxyMode } from './tcp-proxy.ts';

const RESTART_MS = 300;
/** Time for a restart: a killed trainer reloads TensorFlow, on a busy machine. */
const TARGET_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const STOP_GRACE_MS = 20_000;

export interface ChaosClusterOptions {
  /** Folder of database, artifacts and logs. */
  readonly folder: string;
  readonly trainerCount: number;
  readonly coordinatorCount: number;
  readonly leaseMs: number;
  /** Age at which files without a row are removed. */
  readonly orphanMs: number;
  /** File whose content arms failpoints in all processes, even while they run. */
  readonly failpointFile?: string;
  readonly say: (text: string) => void;
}

interface Link {
  readonly trainer: number;
  readonly coordinator: number;
  readonly proxy: TcpProxy;
  /** Active faults; the latest one takes effect. */
  readonly modes: Set<ProxyMode>;
}

export interface Injected {
  readonly trainer: number | null;
  readonly file?: string;
  readonly undone: Promise<void>;
}

/** PostgreSQL, coordinators and trainers as processes, with a proxy between each trainer and each coordinator. */
export class ChaosCluster implements AsyncDisposable {
  readonly artifactsDir: string;
  readonly cacheDir: string;
  readonly logDir: string;
  /** Files of the store that were damaged on purpose. Those that are never read again stay damaged. */
  readonly damagedUris = new Set<string>();
  readonly #options: ChaosClusterOptions;
  readonly #links: Link[] = [];
  #postgres: PostgresKeeper | null = null;
  #postgresPid = 0;
  /** Delays the restart of PostgreSQL until it resolves. */
  #postgresMayStart: Promise<void> = Promise.resolve();
  #databaseUrl = '';
  #coordinatorAddresses: readonly string[] = [];
  #coordinators: readonly SupervisedProcess[] = [];
  #trainers: readonly SupervisedProcess[] = [];

  private constructor(options: ChaosClusterOptions) {
    this.#options = options;
    this.artifactsDir = join(options.folder, 'artifacts');
    this.cacheDir = ownCacheDir(options.folder, resolvePaths(process.env).cacheDir);
    this.logDir = join(options.folder, 'logs');
  }

  static async start(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(options);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get databaseUrl(): string {
    return this.#databaseUrl;
  }

  /** Addresses of the coordinators, without proxies. */
  get coordinatorAddresses(): readonly string[] {
    return this.#coordinatorAddresses;
  }

  /**
   * Injects a fault when its target lives. A fault on a trainer chooses one that holds a lease, if there is any.
   *
   * @returns the trainer or file that was hit, null if none; and a promise that resolves when the fault is undone.
   *
   * @throws {Error} when the target does not recover.
   */
  async inject(action: FaultAction): Promise<Injected> {
    switch (action.kind) {
      case 'KILL': {
        const { trainer, pid } = await this.#aim(action.target);
        sendSignal(pid, 'SIGKILL');
        return { trainer, undone: Promise.resolve() };
      }
      case 'STOP': {
        const { trainer, pid } = await this.#aim(action.target);
        sendSignal(pid, 'SIGSTOP');
        return { trainer, undone: after(action.durationMs, () => sendSignal(pid, 'SIGCONT')) };
      }
      case 'QUOTA': {
        const { trainer, pid } = await this.#aim(action.target);
        limitFileSize(pid, '0:unlimited');
        return { trainer, undone: after(action.durationMs, () => limitFileSize(pid, 'unlimited')) };
      }
      case 'POSTGRES':
        sendSignal(this.#postgresPid, action.shutdown === 'fast' ? 'SIGINT' : 'SIGQUIT');
        return { trainer: null, undone: Promise.resolve() };
      case 'DAMAGE':
        return { trainer: null, file: this.damage(action.stored) ?? 'no such file', undone: Promise.resolve() };
      case 'CUT':
      case 'BLACK_HOLE': {
        const trainer = await this.#busyTrainer(action.link.trainer);
        return {
          trainer,
          undone: this.#disturb({ ...action.link, trainer }, { kind: action.kind }, action.durationMs),
        };
      }
      case 'DELAY': {
        const trainer = await this.#busyTrainer(action.link.trainer);
        const mode = { kind: 'DELAY', ms: action.delayMs } as const;
        return { trainer, undone: this.#disturb({ ...action.link, trainer }, mode, action.durationMs) };
      }
    }
  }

  /** Damages a stored file. @returns its path; null if there is none. */
  damage(target: StoredTarget): string | null {
    const path = damageStored(this, target);
    if (path !== null && target.kind !== 'images') this.damagedUris.add(path);
    return path;
  }

  /** Returns all living processes. */
  livingProcesses(): readonly (ProcessTarget & { readonly pid: number })[] {
    const of = (part: ProcessTarget['part'], processes: readonly SupervisedProcess[]) =>
      processes.flatMap(({ pid }, index) => (pid === null ? [] : [{ part, index, pid }]));
    const supervisors = of('supervisor', this.#trainers);
    const workers = supervisors.flatMap(({ index, pid }) =>
      childrenOf(pid, 'trainer/worker').map((worker) => ({ part: 'worker' as const, index, pid: worker })),
    );
    return [...of('coordinator', this.#coordinators), ...supervisors, ...workers];
  }

  /** Restarts PostgreSQL gracefully; resolves when it accepts connections. */
  async withoutPostgres(durationMs: number): Promise<void> {
    const before = this.#postgresPid;
    this.#postgresMayStart = sleep(durationMs);
    sendSignal(before, 'SIGINT');
    await this.#postgresMayStart;
    while (this.#postgresPid === before) await sleep(POLL_MS);
  }

  /** Waits until the target lives. @throws {Error} when it does not recover. */
  async livePid({ part, index }: ProcessTarget): Promise<number> {
    const deadline = Date.now() + TARGET_TIMEOUT_MS;
    for (;;) {
      const process = part === 'coordinator' ? this.#coordinators[index] : this.#trainers[index];
      const pid = process?.pid ?? null;
      const found = pid !== null && part === 'worker' ? (childrenOf(pid, 'trainer/worker')[0] ?? null) : pid;
      if (found !== null) return found;
      if (Date.now() > deadline) throw new Error(`${part} ${index} has not lived for ${TARGET_TIMEOUT_MS / 1_000} s`);
      await sleep(POLL_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#trainers.map((trainer) => trainer.stop(STOP_GRACE_MS)));
    await Promise.all(this.#coordinators.map((coordinator) => coordinator.stop(STOP_GRACE_MS)));
    for (const { proxy } of this.#links) await proxy[Symbol.asyncDispose]();
    await this.#postgres?.stop();
  }

  async #start(): Promise<void> {
    const { folder, coordinatorCount, trainerCount, say } = this.#options;
    mkdirSync(this.logDir, { recursive: true });
    this.#postgres = new PostgresKeeper({
      logFile: join(this.logDir, 'postgres.log'),
      say,
      start: async (log) => {
        await this.#postgresMayStart;
        const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log });
        this.#postgresPid = server.pid;
        return server;
      },
    });
    this.#databaseUrl = await this.#postgres.start();
    await applyMigrations(this.#databaseUrl);
    this.#coordinatorAddresses = await freeAddresses(coordinatorCount);
    for (let trainer = 0; trainer < trainerCount; trainer += 1) {
      for (const [coordinator, address] of this.#coordinatorAddresses.entries()) {
        this.#links.push({ trainer, coordinator, proxy: await TcpProxy.start(address), modes: new Set() });
      }
    }
    this.#coordinators = this.#coordinatorAddresses.map((address, index) => this.#coordinator(address, index));
    this.#trainers = Array.from({ length: trainerCount }, (_, index) => this.#trainer(index));
    for (const process of [...this.#coordinators, ...this.#trainers]) process.start();
  }

  #coordinator(address: string, index: number): SupervisedProcess {
    const { leaseMs, orphanMs } = this.#options;
    return this.#process(`coordinator-${index}`, 'coordinator/main', {
      DATABASE_URL: this.#databaseUrl,
      GRAFT_COORDINATOR_LISTEN: address,
      GRAFT_COORDINATOR_LEASE_MS: String(leaseMs),
      GRAFT_COORDINATOR_HEARTBEAT_MS: String(Math.round(leaseMs / 3)),
      GRAFT_COORDINATOR_REAPER_MS: String(Math.round(leaseMs / 6)),
      GRAFT_COORDINATOR_RETENTION_MS: '1000',
      GRAFT_COORDINATOR_ORPHAN_MS: String(orphanMs),
      GRAFT_COORDINATOR_DRAIN_MS: '2000',
      // Curves are compared bit by bit, so groups must not depend on the trainers that live at planning.
      GRAFT_COORDINATOR_ADAPTIVE_PLAN: 'off',
    });
  }

  #trainer(index: number): SupervisedProcess {
    const own = this.#links.filter(({ trainer }) => trainer === index);
    // Each trainer begins with another coordinator, so that all coordinators have work.
    const addresses = [...own.slice(index % own.length), ...own.slice(0, index % own.length)];
    return this.#process(`trainer-${index}`, 'trainer/main', {
      GRAFT_COORDINATOR: addresses.map(({ proxy }) => proxy.address).join(','),
      GRAFT_TRAINER_ID: `trainer-${index}`,
      GRAFT_SLOTS: '1',
      GRAFT_SLOT_THREADS: '1',
      // Frequent saves, so that most attempts resume inside a stage.
      GRAFT_CHECKPOINT_SECONDS: '1',
    });
  }

  #process(name: string, module: string, env: Readonly<Record<string, string>>): SupervisedProcess {
    const { failpointFile } = this.#options;
    const failpoints =
      failpointFile === undefined ? {} : { GRAFT_FAILPOINTS: `@${failpointFile}`, GRAFT_FAILPOINTS_ENABLED: '1' };
    return new SupervisedProcess({
      name,
      command: nodeCommand(module, { endWithParent: true }),
      env: {
        ...process.env,
        END_WITH_PARENT: '1',
        GRAFT_STATE_DIR: join(this.#options.folder, name),
        GRAFT_CACHE_DIR: this.cacheDir,
        GRAFT_ARTIFACTS_DIR: this.artifactsDir,
        GRAFT_LOG_LEVEL: 'info',
        ...failpoints,
        ...env,
      },
      logFile: join(this.logDir, `${name}.log`),
      say: this.#options.say,
      firstBackoffMs: RESTART_MS,
    });
  }

  async #aim(target: ProcessTarget): Promise<{ readonly trainer: number | null; readonly pid: number }> {
    if (target.part === 'coordinator') return { trainer: null, pid: await this.livePid(target) };
    const trainer = await this.#busyTrainer(target.index);
    return { trainer, pid: await this.livePid({ ...target, index: trainer }) };
  }

  /** Returns the `place`-th of the trainers that hold a lease; of all trainers if none does or the database is unavailable. */
  async #busyTrainer(place: number): Promise<number> {
    const client = new pg.Client({ connectionString: this.#databaseUrl, connectionTimeoutMillis: 1_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ trainer_id: string }>(
        `SELECT DISTINCT trainer_id FROM tasks WHERE state IN ('LEASED', 'RUNNING') ORDER BY trainer_id`,
      );
      const busy = rows.map(({ trainer_id: trainerId }) => Number(trainerId.split('-').at(-1)));
      return busy[place % Math.max(1, busy.length)] ?? place;
    } catch {
      return place;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async #disturb(target: LinkTarget, mode: ProxyMode, durationMs: number): Promise<void> {
    const links = this.#links.filter(
      ({ trainer, coordinator }) =>
        trainer === target.trainer && (target.coordinator === null || coordinator === target.coordinator),
    );
    for (const link of links) {
      link.modes.add(mode);
      link.proxy.setMode(mode);
    }
    await sleep(durationMs);
    for (const link of links) {
      link.modes.delete(mode);
      link.proxy.setMode([...link.modes].at(-1) ?? { kind: 'PASS' });
    }
  }
}

/** Limits the size of files that a process may write. A process that has ended is ignored. */
function limitFileSize(pid: number, limit: string): void {
  spawnSync('prlimit', ['--pid', String(pid), `--fsize=${limit}`]);
}

async function after(ms: number, undo: () => void): Promise<void> {
  await sleep(ms);
  undo();
}

/** Returns ports that stay the same over restarts of a coordinator. */
async function freeAddresses(count: number): Promise<readonly string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const server of servers) server.close();
  return addresses;
}
