import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCommand } from '../../../services/cli/cluster/node-command.ts';
import { resolvePaths } from '../../../services/platform/paths.ts';
import { runCli, eventually } from '../../e2e/support/local-cluster.ts';
import type { CliResult } from '../../e2e/support/local-cluster.ts';
import { TrainerProcess } from '../../integration/coordinator/trainer-process.ts';

const START_TIMEOUT_MS = 60_000;

export interface SmallClusterOptions {
  readonly databaseUrl: string;
  /** Folder of logs and of the trainer's state; a cluster that continues another's work uses the same folder. */
  readonly folder: string;
  readonly artifacts: string;
  /** Environment of all processes. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * One coordinator and one trainer of one slot and one thread, as processes. Lasts as long as the test that created it.
 */
export class SmallCluster implements AsyncDisposable {
  readonly address: string;
  readonly #options: SmallClusterOptions;
  readonly #coordinator: ChildProcess;
  readonly #trainer: TrainerProcess;

  private constructor(options: SmallClusterOptions, coordinator: ChildProcess, address: string) {
    this.#options = options;
    this.#coordinator = coordinator;
    this.address = address;
    const log = openSync(join(options.folder, 'trainer.log'), 'a');
    this.#trainer = new TrainerProcess({
      trainerId: 'trainer',
      coordinator: address,
      artifacts: options.artifacts,
      folder: options.folder,
      cacheDir: resolvePaths(process.env).cacheDir,
      env: { GRAFT_CHECKPOINT_SECONDS: '0.2', ...options.env },
      log,
    });
    closeSync(log);
  }

  /**
   * Starts the cluster; the trainer may still be loading TensorFlow. Throws {Error} with the coordinator's log when it
   * does not start.
   */
  static async start(options: SmallClusterOptions): Promise<SmallCluster> {
    const logFile = join(options.folder, 'coordinator.log');
    mkdirSync(options.folder, { recursive: true });
    writeFileSync(logFile, '');
    const log = openSync(logFile, 'a');
    const [program, ...args] = nodeCommand('coordinator/main', { endWithParent: true });
    const child = spawn(program, args, {
      env: {
        ...process.env,
        END_WITH_PARENT: '1',
        DATABASE_URL: options.databaseUrl,
        GRAFT_COORDINATOR_LISTEN: '127.0.0.1:0',
        GRAFT_COORDINATOR_LEASE_MS: '3000',
        GRAFT_ARTIFACTS_DIR: options.artifacts,
        // Curves are compared bit by bit, so grouping must not depend on timing.
        GRAFT_COORDINATOR_ADAPTIVE_PLAN: 'off',
        ...options.env,
      },
      stdio: ['pipe', 'ignore', log],
    });
    closeSync(log);
    try {
      const address = await eventually('the coordinator', START_TIMEOUT_MS, () => {
        const text = readFileSync(logFile, 'utf8');
        if (child.exitCode !== null) throw new Error(`The coordinator ended with ${child.exitCode}:\n${text}`);
        return Promise.resolve(/"address":"([^"]+)"/.exec(text)?.[1]);
      });
      return new SmallCluster(options, child, address);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Returns the log lines of the trainer and its worker. */
  trainerLog(): readonly Readonly<Record<string, unknown>>[] {
    return readFileSync(join(this.#options.folder, 'trainer.log'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Runs `graft ARGS` against this cluster. */
  cli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
    return runCli(args, { ...this.#options.env, GRAFT_COORDINATOR: this.address, ...env });
  }

  /** Runs a command and parses its JSON. Throws {Error} with the output when the exit code is not 0. */
  async cliJson<T>(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<T> {
    const { code, stdout, stderr } = await this.cli([...args, '--output', 'json'], env);
    if (code !== 0) throw new Error(`graft ${args.join(' ')}: exit code ${code}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Kills all processes at once, as in a power failure. */
  async kill(): Promise<void> {
    await this.#trainer.kill();
    await end(this.#coordinator, 'SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
