import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isAlive } from '../../platform/lifecycle/process-identity.ts';
import type { ProcessIdentity } from '../../platform/lifecycle/process-identity.ts';
import { withLock } from '../../platform/lifecycle/process-lock.ts';
import { CliError, UsageError } from '../terminal/cli-errors.ts';

const DRAIN_WAIT_MS = 30_000;
const POLL_MS = 100;
/** Wait for another `graft up` that is writing its record. */
const LOCK_WAIT_MS = 90_000;

/** The record of a cluster in its state folder. */
export interface ClusterRecord {
  readonly owner: ProcessIdentity;
  /** `host:port` of the coordinator; null until it is known. */
  readonly address: string | null;
  readonly databaseUrl: string | null;
  readonly children: readonly ProcessIdentity[];
}

/** Thrown when another live process runs a cluster on the same state folder. */
export class ClusterRunningError extends UsageError {
  readonly record: ClusterRecord;

  constructor(stateDir: string, record: ClusterRecord) {
    const where = record.address === null ? '' : ` with its coordinator at ${record.address}`;
    super(
      `Graft is already up on ${stateDir}: process ${record.owner.pid}${where}. Use that one, end it with Ctrl-C or ` +
        `\`kill ${record.owner.pid}\`, or set GRAFT_STATE_DIR to another folder for a second cluster.`,
    );
    this.record = record;
  }
}

/** The exclusive right to run a cluster on a state folder, with the record by which other processes find the cluster. */
export class ClusterLock {
  readonly #file: string;
  #record: ClusterRecord;

  private constructor(file: string, record: ClusterRecord) {
    this.#file = file;
    this.#record = record;
  }

  /**
   * Acquires the lock. If the process of the last cluster was killed, waits until its children have handed their tasks back, and
   * kills those that do not end.
   *
   * @throws ClusterRunningError; LockTimeoutError if another process has been acquiring it for too long.
   */
  static async acquire(stateDir: string, say: (text: string) => void): Promise<ClusterLock> {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const lock = await withLock(join(stateDir, 'up.lock'), LOCK_WAIT_MS, () => {
      const before = readClusterRecord(stateDir);
      if (before !== null && isAlive(before.owner)) throw new ClusterRunningError(stateDir, before);
      const record: ClusterRecord = {
        owner: identifyProcess(process.pid),
        address: null,
        databaseUrl: null,
        children: before?.children ?? [],
      };
      const taken = new ClusterLock(fileOf(stateDir), record);
      taken.#write();
      return Promise.resolve(taken);
    });
    await lock.#awaitFormerChildren(say);
    return lock;
  }

  update(change: Partial<Pick<ClusterRecord, 'address' | 'databaseUrl'>>): void {
    this.#record = { ...this.#record, ...change };
    this.#write();
  }

  setChildren(pids: readonly number[]): void {
    this.#record = { ...this.#record, children: pids.map(identifyProcess) };
    this.#write();
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }

  async #awaitFormerChildren(say: (text: string) => void): Promise<void> {
    const living = (): readonly ProcessIdentity[] => this.#record.children.filter(isAlive);
    if (living().length > 0) {
      const processes = living().length === 1 ? 'process hands its' : `${living().length} processes hand their`;
      say(`the last cluster on this folder was killed; waiting until its ${processes} tasks back`);
      const deadline = Date.now() + DRAIN_WAIT_MS;
      while (living().length > 0 && Date.now() < deadline) await sleep(POLL_MS);
      for (const { pid } of living()) killGroup(pid);
      while (living().length > 0) {
        if (Date.now() > deadline + DRAIN_WAIT_MS) throw unkillable(living());
        await sleep(POLL_MS);
      }
    }
    this.setChildren([]);
  }

  #write(): void {
    // The record has the database's password. It is replaced atomically, so that readers never see half of it.
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#record), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** Returns the record of the last cluster on a state folder, running or not; null if there is none. */
export function readClusterRecord(stateDir: string): ClusterRecord | null {
  try {
    return JSON.parse(readFileSync(fileOf(stateDir), 'utf8')) as ClusterRecord;
  } catch {
    return null;
  }
}

/** Returns the record of the running cluster on a state folder; null if there is none. */
export function findLiveCluster(stateDir: string): ClusterRecord | null {
  const record = readClusterRecord(stateDir);
  return record !== null && isAlive(record.owner) ? record : null;
}

function fileOf(stateDir: string): string {
  return join(stateDir, 'up.json');
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The process has ended in the meantime.
  }
}

function unkillable(processes: readonly ProcessIdentity[]): CliError {
  const pids = processes.map(({ pid }) => pid).join(', ');
  return new CliError(
    `Processes ${pids} of the last cluster do not end, not even after SIGKILL. Inspect them with ps.`,
  );
}
