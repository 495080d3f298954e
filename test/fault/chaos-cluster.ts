import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeCommand } from '../../services/cli/cluster/node-command.ts';
import { PostgresKeeper } from '../../services/cli/cluster/postgres-keeper.ts';
import { SupervisedProcess } from '../../services/cli/cluster/supervised-process.ts';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { resolvePaths } from '../../services/platform/paths.ts';
import { childrenOf, sendSignal } from './process-tree.ts';
import type { FaultAction, LinkTarget, ProcessTarget } from './schedule.ts';
import { TcpProxy } from './tcp-proxy.ts';
import type { ProxyMode } from './tcp-proxy.ts';

const RESTART_MS = 300;
/** A trainer that was killed loads TensorFlow again, on a busy machine. */
const TARGET_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const STOP_GRACE_MS = 20_000;

export interface ChaosClusterOptions {
  /** Gets everything: database, artifacts, logs. */
  readonly folder: string;
  readonly trainerCount: number;
  readonly coordinatorCount: number;
  readonly leaseMs: number;
  /** Files without a row are removed when they are so old. */
  readonly orphanMs: number;
  readonly say: (text: string) => void;
}

interface Link {
  readonly trainer: number;
  readonly coordinator: number;
  readonly proxy: TcpProxy;
  /** Faults at work on it; the newest one decides. */
  readonly modes: Set<ProxyMode>;
}

/** PostgreSQL, coordinators and trainers as processes, with a proxy between each trainer and each coordinator. */
export class ChaosCluster implements AsyncDisposable {
  readonly artifactsDir: string;
  readonly logDir: string;
  readonly #options: ChaosClusterOptions;
  readonly #links: Link[] = [];
  #postgres: PostgresKeeper | null = null;
  #postgresPid = 0;
  #databaseUrl = '';
  #coordinatorAddresses: readonly string[] = [];
  #coordinators: readonly SupervisedProcess[] = [];
  #trainers: readonly SupervisedProcess[] = [];

  private constructor(options: ChaosClusterOptions) {
    this.#options = options;
    this.artifactsDir = join(options.folder, 'artifacts');
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

  /** Not through the proxies. */
  get coordinatorAddresses(): readonly string[] {
    return this.#coordinatorAddresses;
  }

  /**
   * Does a fault when its target lives. @returns a promise of the moment when it is undone.
   *
   * @throws Error when the target does not come back.
   */
  async inject(action: FaultAction): Promise<{ readonly undone: Promise<void> }> {
    switch (action.kind) {
      case 'KILL':
        sendSignal(await this.#livePid(action.target), 'SIGKILL');
        return { undone: Promise.resolve() };
      case 'STOP': {
        const pid = await this.#livePid(action.target);
        sendSignal(pid, 'SIGSTOP');
        return { undone: after(action.durationMs, () => sendSignal(pid, 'SIGCONT')) };
      }
      case 'POSTGRES':
        sendSignal(this.#postgresPid, action.shutdown === 'fast' ? 'SIGINT' : 'SIGQUIT');
        return { undone: Promise.resolve() };
      case 'CUT':
      case 'BLACK_HOLE':
        return { undone: this.#disturb(action.link, { kind: action.kind }, action.durationMs) };
      case 'DELAY':
        return { undone: this.#disturb(action.link, { kind: 'DELAY', ms: action.delayMs }, action.durationMs) };
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
    });
  }

  #trainer(index: number): SupervisedProcess {
    const own = this.#links.filter(({ trainer }) => trainer === index);
    // Each begins with another coordinator, so that all of them have work.
    const addresses = [...own.slice(index % own.length), ...own.slice(0, index % own.length)];
    return this.#process(`trainer-${index}`, 'trainer/main', {
      GRAFT_COORDINATOR: addresses.map(({ proxy }) => proxy.address).join(','),
      GRAFT_TRAINER_ID: `trainer-${index}`,
      GRAFT_SLOTS: '1',
      GRAFT_SLOT_THREADS: '1',
      // Saves so often that most attempts resume in the middle of a stage.
      GRAFT_CHECKPOINT_SECONDS: '1',
    });
  }

  #process(name: string, module: string, env: Readonly<Record<string, string>>): SupervisedProcess {
    return new SupervisedProcess({
      name,
      command: nodeCommand(module, { endWithParent: true }),
      env: {
        ...process.env,
        END_WITH_PARENT: '1',
        GRAFT_STATE_DIR: join(this.#options.folder, name),
        GRAFT_CACHE_DIR: resolvePaths(process.env).cacheDir,
        GRAFT_ARTIFACTS_DIR: this.artifactsDir,
        GRAFT_LOG_LEVEL: 'info',
        ...env,
      },
      logFile: join(this.logDir, `${name}.log`),
      say: this.#options.say,
      firstBackoffMs: RESTART_MS,
    });
  }

  async #livePid({ part, index }: ProcessTarget): Promise<number> {
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

async function after(ms: number, undo: () => void): Promise<void> {
  await sleep(ms);
  undo();
}

/** Ports that stay the same over a coordinator's restarts. */
async function freeAddresses(count: number): Promise<readonly string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const server of servers) server.close();
  return addresses;
}
