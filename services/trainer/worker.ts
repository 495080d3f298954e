import { armFailpoints } from '../platform/lifecycle/failpoint.ts';
import { readVersion } from '../platform/config/read-version.ts';
import { createLogger } from '../platform/telemetry/logger.ts';
import { startTracing } from '../platform/telemetry/start-tracing.ts';
import type { Tracing } from '../platform/telemetry/start-tracing.ts';
import { openArtifactStore } from '../platform/artifacts/open-artifact-store.ts';
import { engineInfo, threadCount } from './engine/engine.ts';
import type { SlotCommand, SlotEvent, WorkerEnvironment } from './slots/worker-protocol.ts';
import { runTask } from './training/run-task.ts';
import type { WorkerOptions } from './training/task-context.ts';
import { TaskLink } from './training/task-link.ts';

/**
 * The process of one slot: executes one task at a time for its supervisor and ends when the supervisor does. It communicates over
 * the IPC channel only (`slots/worker-protocol.ts`).
 */
const log = createLogger('graft-worker');

async function main(): Promise<void> {
  const send = process.send?.bind(process);
  if (send === undefined) {
    log.fatal('worker.ts needs the IPC channel of a trainer; start `graft trainer` instead');
    process.exitCode = 1;
    return;
  }
  // Without a supervisor there is no lease, and without a lease nothing may be written.
  process.on('disconnect', () => process.exit(0));
  // Terminals send Ctrl-C to the whole process group; the supervisor decides what happens to the task.
  process.on('SIGINT', () => undefined);
  // Exceeding a quota on file sizes must fail the write (EFBIG), not end the process.
  process.on('SIGXFSZ', () => undefined);
  armFailpoints(process.env);
  const options = await readOptions(process.env);
  const tracing = await startTracing({
    service: 'graft-worker',
    version: readVersion(),
    env: process.env,
    warn: (message) => log.warn(message),
  });
  const worker = new SlotWorker(options, tracing, (event) => {
    // The supervisor may have exited.
    if (process.connected) send(event);
  });
  process.on('message', (message) => worker.receive(message as SlotCommand));
  worker.announce();
}

class SlotWorker {
  readonly #options: WorkerOptions;
  readonly #tracing: Tracing;
  readonly #send: (event: SlotEvent) => void;
  #link: TaskLink | null = null;

  constructor(options: WorkerOptions, tracing: Tracing, send: (event: SlotEvent) => void) {
    this.#options = options;
    this.#tracing = tracing;
    this.#send = send;
  }

  announce(): void {
    const engine = engineInfo();
    log.info({ ...engine, threads: threadCount }, 'ready');
    this.#send({ type: 'ready', engine });
  }

  receive(command: SlotCommand): void {
    if (command.type !== 'start') {
      // A command may arrive after the end of its task.
      if (this.#link?.taskId === command.taskId) this.#link.receive(command);
      return;
    }
    void this.#start(command);
  }

  async #start({ task }: Extract<SlotCommand, { type: 'start' }>): Promise<void> {
    if (this.#link !== null) {
      const message = `Task ${task.taskId} arrived while task ${this.#link.taskId} is running.`;
      const error = { errorClass: 'COUNTED', code: 'WORKER_BUSY', message, datasetProblems: [] } as const;
      this.#send({ type: 'failed', taskId: task.taskId, error });
      return;
    }
    const link = new TaskLink(task.taskId, (event) => {
      // The next task may arrive as soon as the supervisor receives the end.
      if (event.type === 'completed' || event.type === 'failed' || event.type === 'stopped') this.#link = null;
      if (event.type === 'failed') log.error({ task_id: event.taskId, error: event.error }, 'task failed');
      this.#send(event);
    });
    this.#link = link;
    const { taskId, sweepId, leaseEpoch, stage, runs } = task;
    const fields = { sweep_id: sweepId, task_id: taskId, lease_epoch: leaseEpoch, stage, runs: runs.length };
    log.info(fields, 'task started');
    await runTask(task, this.#options, link);
    // Flushed here, because a worker without a task is killed when its trainer ends.
    await this.#tracing.flush();
  }
}

async function readOptions(env: Partial<WorkerEnvironment>): Promise<WorkerOptions> {
  const {
    GRAFT_ARTIFACTS_DIR: artifactsDir,
    GRAFT_CACHE_DIR: cacheDir,
    GRAFT_TRAINER_CACHE_BYTES: cacheBytes,
    GRAFT_CHECKPOINT_SECONDS: seconds = '10',
    GRAFT_DATA_ROOT: dataRoot = null,
  } = env;
  const checkpointSeconds = Number(seconds);
  if (artifactsDir === undefined || cacheDir === undefined || !(checkpointSeconds > 0)) {
    throw new Error(
      'A worker needs GRAFT_ARTIFACTS_DIR, GRAFT_CACHE_DIR and a positive GRAFT_CHECKPOINT_SECONDS; received ' +
        `${JSON.stringify({ artifactsDir, cacheDir, seconds })}. The trainer sets them.`,
    );
  }
  const artifactCacheBytes = cacheBytes === undefined ? Infinity : Number(cacheBytes);
  return {
    artifacts: await openArtifactStore(artifactsDir),
    cacheDir,
    dataRoot,
    artifactCacheBytes,
    checkpointSeconds,
  };
}

await main();
