import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LeasedTask } from '../../../services/core/task.ts';
import type { SlotCommand, SlotEvent } from '../../../services/trainer/slots/worker-protocol.ts';

export interface WorkerProcessOptions {
  readonly artifactsDir: string;
  readonly cacheDir: string;
  readonly checkpointSeconds?: number;
  readonly threads?: number;
  /** True: the test must read `child.stderr`. Default: false. */
  readonly pipesErrors?: boolean;
}

type EventOf<T extends SlotEvent['type']> = Extract<SlotEvent, { type: T }>;
export type EndEvent = EventOf<'completed'> | EventOf<'failed'> | EventOf<'stopped'>;
export type CompletedResult = EventOf<'completed'>['result'];

export interface TaskRunner {
  /** Runs a task to its end. */
  run(task: LeasedTask): Promise<EndEvent>;
  /** Runs a task that must complete. */
  complete<S extends CompletedResult['stage']>(
    task: LeasedTask,
    stage: S,
  ): Promise<Extract<CompletedResult, { stage: S }>>;
}

/** A real worker process, driven as its supervisor does. */
export class WorkerProcess implements TaskRunner, AsyncDisposable {
  readonly child: ChildProcess;
  readonly events: SlotEvent[] = [];
  #listeners = new Set<(event: SlotEvent) => void>();

  constructor(options: WorkerProcessOptions) {
    const entry = fileURLToPath(new URL('../../../services/trainer/worker.ts', import.meta.url));
    const shown = process.env['WORKER_LOG'] === undefined ? 'ignore' : 'inherit';
    this.child = fork(entry, {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
      env: {
        ...process.env,
        GRAFT_ARTIFACTS_DIR: options.artifactsDir,
        GRAFT_CACHE_DIR: options.cacheDir,
        GRAFT_SLOT_THREADS: String(options.threads ?? 1),
        GRAFT_CHECKPOINT_SECONDS: String(options.checkpointSeconds ?? 10),
      },
      stdio: ['ignore', 'inherit', options.pipesErrors === true ? 'pipe' : shown, 'ipc'],
    });
    this.child.on('message', (message) => {
      const event = message as SlotEvent;
      this.events.push(event);
      for (const listener of [...this.#listeners]) listener(event);
    });
  }

  send(command: SlotCommand): void {
    this.child.send(command);
  }

  /** Resolves with the next event that matches; rejects when the process ends first. */
  async next<T extends SlotEvent>(passes: (event: SlotEvent) => event is T): Promise<T>;
  async next(passes: (event: SlotEvent) => boolean): Promise<SlotEvent>;
  async next(passes: (event: SlotEvent) => boolean): Promise<SlotEvent> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null, signal: string | null): void =>
        reject(new Error(`The worker ended (${code ?? signal}) instead.`));
      const listener = (event: SlotEvent): void => {
        if (!passes(event)) return;
        this.#listeners.delete(listener);
        this.child.off('exit', onExit);
        resolve(event);
      };
      this.#listeners.add(listener);
      this.child.once('exit', onExit);
    });
  }

  ready(): Promise<EventOf<'ready'>> {
    const known = this.events.find((event) => event.type === 'ready');
    return known === undefined
      ? this.next((event): event is EventOf<'ready'> => event.type === 'ready')
      : Promise.resolve(known);
  }

  async run(task: LeasedTask): Promise<EndEvent> {
    await this.ready();
    const end = this.next(isEnd);
    this.send({ type: 'start', task });
    return end;
  }

  async complete<S extends CompletedResult['stage']>(
    task: LeasedTask,
    stage: S,
  ): Promise<Extract<CompletedResult, { stage: S }>> {
    const end = await this.run(task);
    if (end.type !== 'completed' || end.result.stage !== stage)
      throw new Error(`Unexpected end: ${JSON.stringify(end)}`);
    return end.result as Extract<CompletedResult, { stage: S }>;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

export function isEnd(event: SlotEvent): event is EndEvent {
  return event.type === 'completed' || event.type === 'failed' || event.type === 'stopped';
}
