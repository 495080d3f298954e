import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { UnauthenticatedError } from '../../services/core/errors.ts';
import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import type { EmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';
import { freePort } from '../../services/platform/net/free-port.ts';
import { NO_RETRY, createClient } from '../../services/platform/rpc/client.ts';
import type { RpcClient } from '../../services/platform/rpc/client.ts';
import { SweepServiceService } from '../../proto/gen/graft/v1/sweep_service.ts';
import { REPOSITORY } from '../e2e/support/local-cluster.ts';

/** Linux counts processor time in hundredths of a second (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;
const START_TIMEOUT_MS = 60_000;

/** A coordinator in a separate process, with a separate PostgreSQL, so that its processor time and memory can be measured. */
export class CoordinatorProcess implements AsyncDisposable {
  readonly address: string;
  readonly databaseUrl: string;
  readonly sweeps: RpcClient<typeof SweepServiceService>;
  readonly #server: EmbeddedPostgres;
  readonly #process: ChildProcess;

  private constructor(address: string, server: EmbeddedPostgres, child: ChildProcess) {
    this.address = address;
    this.databaseUrl = server.url;
    this.#server = server;
    this.#process = child;
    this.sweeps = createClient(SweepServiceService, { addresses: [address], retry: NO_RETRY });
  }

  /**
   * Starts the database and the coordinator.
   *
   * @param folder of the database and the artifacts.
   * @param options.env additional environment of the coordinator.
   * @param options.isBuilt runs the build of the images, to measure memory: running from source includes a compiler.
   */
  static async start(
    folder: string,
    options: { readonly env?: Readonly<Record<string, string>>; readonly isBuilt?: boolean } = {},
  ): Promise<CoordinatorProcess> {
    const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), log: () => undefined });
    await applyMigrations(server.url);
    const address = `127.0.0.1:${await freePort()}`;
    const program = options.isBuilt === true ? build() : ['--import', 'tsx', 'services/coordinator/main.ts'];
    const child = spawn(process.execPath, program, {
      cwd: REPOSITORY,
      env: {
        ...process.env,
        DATABASE_URL: server.url,
        GRAFT_ARTIFACTS_DIR: join(folder, 'artifacts'),
        GRAFT_COORDINATOR_LISTEN: address,
        GRAFT_LOG_LEVEL: 'warn',
        ...options.env,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const coordinator = new CoordinatorProcess(address, server, child);
    await coordinator.#answers();
    return coordinator;
  }

  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Returns the total processor time so far, user and system, in seconds. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#pid}/stat`, 'utf8');
    // The name in parentheses may contain spaces; utime and stime are the 12th and 13th fields after it (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Returns the current resident memory in bytes. */
  get residentBytes(): number {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'));
    return Number(match?.[1] ?? Number.NaN) * 1024;
  }

  get #pid(): number {
    return this.#process.pid ?? -1;
  }

  async #answers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      try {
        await this.sweeps.call.listSweeps({ pageSize: 1, pageToken: '' });
        return;
      } catch (error) {
        if (error instanceof UnauthenticatedError) return;
        if (this.#process.exitCode !== null || Date.now() > deadline) throw error;
        await sleep(100);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.sweeps.close();
    if (this.isAlive) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await exited;
    }
    await this.#server.stop();
  }
}

/** Builds into `dist/`, from where the packages are found. */
function build(): string[] {
  execFileSync(process.execPath, [join(REPOSITORY, 'deploy/build.js')], { stdio: 'inherit' });
  return ['dist/services/coordinator/main.js'];
}
