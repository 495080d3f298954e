import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { nodeCommand } from '../../../services/cli/cluster/node-command.ts';
import type { Harness } from './harness.ts';

export interface TrainerProcessOptions {
  readonly trainerId: string;
  /** `host:port` */
  readonly coordinator: string;
  readonly artifacts: string;
  /** Gets the state folder and, if not given, the cache folder. */
  readonly folder: string;
  readonly cacheDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Command line that starts the trainer's, for example one that gives it file systems of its own. */
  readonly prefix?: readonly [string, ...string[]];
  /** File descriptor that gets the log; nowhere if not given. */
  readonly log?: number;
}

/** A real trainer, supervisor and worker, with one slot of one thread. */
export class TrainerProcess implements AsyncDisposable {
  readonly trainerId: string;
  readonly #child: ChildProcess;

  constructor(options: TrainerProcessOptions) {
    const { trainerId, folder } = options;
    this.trainerId = trainerId;
    const [command, ...args] = [...(options.prefix ?? []), ...nodeCommand('trainer/main', { endWithParent: true })];
    this.#child = spawn(command, args, {
      env: {
        ...process.env,
        END_WITH_PARENT: '1',
        GRAFT_TRAINER_ID: trainerId,
        GRAFT_COORDINATOR: options.coordinator,
        GRAFT_ARTIFACTS_DIR: options.artifacts,
        GRAFT_STATE_DIR: join(folder, 'state'),
        GRAFT_CACHE_DIR: options.cacheDir ?? join(folder, 'cache'),
        GRAFT_SLOTS: '1',
        GRAFT_SLOT_THREADS: '1',
        ...options.env,
      },
      stdio: ['pipe', 'ignore', options.log ?? (process.env['WORKER_LOG'] === undefined ? 'ignore' : 'inherit')],
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Its worker ends with it, as its channel closes. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Waits for the end of a sweep that real trainers work on, on however busy a machine. */
export async function sweepEnd(harness: Harness, sweepId: string): Promise<void> {
  const watch = harness.sweeps.watchSweep({ sweepId, cursor: 0n }, { deadlineMs: 150_000 });
  for (const events = watch[Symbol.asyncIterator](); (await events.next()).done !== true;);
}
