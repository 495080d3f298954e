import type { LeaseTiming } from '../../core/lease.ts';
import type { LeasedTask, RunOutcome, TaskError } from '../../core/task.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Span } from '../../platform/telemetry/tracer.ts';
import type { Coordinator, ReleaseReason, TaskDirective, TaskEnd, TaskProgress } from '../lease/coordinator-port.ts';
import { isRefusedReport } from '../lease/metric-outbox.ts';
import type { AttemptMetrics } from '../lease/metric-stream.ts';
import { classifyFailure, untilAnswered } from '../lease/patience.ts';
import { startAttemptSpan } from './attempt-span.ts';
import { ProgressWatch } from './progress-watch.ts';
import type { SlotEvent } from './worker-protocol.ts';
import { errorOfRefusal } from './refused-call.ts';
import { describeProcess, errorOfExit } from './worker-exit.ts';
import type { WorkerProcess } from './worker-process.ts';

const STUCK_CHECK_MS = 1_000;
/** A worker that is asked to stop may finish its step and save; longer than that it is not waited for. */
const STOP_DEADLINE_MS = 60_000;

export interface AttemptOptions {
  readonly task: LeasedTask;
  readonly worker: WorkerProcess;
  readonly coordinator: Coordinator;
  readonly metrics: AttemptMetrics;
  readonly timing: () => LeaseTiming;
  readonly register: () => Promise<void>;
  /** An attempt's error as it is, or the machine's fault behind it; as it is if not given. */
  readonly explain?: (error: TaskError, task: LeasedTask) => Promise<TaskError>;
  readonly log: Logger;
  /** Milliseconds on a clock that only goes forward; for tests. */
  readonly now?: () => number;
  /** For tests. */
  readonly stopDeadlineMs?: number;
}

/**
 * One execution of a leased task by a worker. Its events become calls in the order they came, one after the other:
 * a checkpoint is registered when all epochs before it are durable, and the end is told when everything before it is.
 */
export class Attempt {
  readonly task: LeasedTask;
  /** Resolves when nothing is left to do; never rejects. */
  readonly ended: Promise<void>;
  readonly #options: AttemptOptions;
  readonly #log: Logger;
  readonly #span: Span;
  readonly #now: () => number;
  readonly #calls = new AbortController();
  readonly #watch: ProgressWatch;
  readonly #epochCounts = new Map<string, number>();
  readonly #stoppedRunIds = new Set<string>();
  readonly #resolveEnded: () => void;
  #stuckTimer: NodeJS.Timeout | null = null;
  #silenceTimer: NodeJS.Timeout | null = null;
  #stopTimer: NodeJS.Timeout | null = null;
  #progress = { stepCount: 0, stepLimit: 0, detail: 'starting' };
  #chain: Promise<void> = Promise.resolve();
  #releaseReason: ReleaseReason = 'PAUSED';
  #asked: 'pause' | 'stop' | null = null;
  /** The last step of the chain is known. */
  #isEnding = false;
  #isEnded = false;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.task = options.task;
    this.#span = startAttemptSpan(options.task);
    const { sweepId, taskId, leaseEpoch } = options.task;
    this.#log = options.log.child({
      sweep_id: sweepId,
      task_id: taskId,
      lease_epoch: leaseEpoch,
      ...this.#span.fields,
    });
    this.#now = options.now ?? ((): number => performance.now());
    this.#watch = new ProgressWatch(this.#now());
    let resolveEnded = (): void => undefined;
    this.ended = new Promise((resolve) => (resolveEnded = resolve));
    this.#resolveEnded = resolveEnded;
  }

  get progress(): TaskProgress {
    const { taskId, leaseEpoch } = this.task;
    return { taskId, leaseEpoch, ...this.#progress };
  }

  start(): void {
    const { worker } = this.#options;
    const { stage, runs } = this.task;
    this.#log.info({ stage, runs: runs.map(({ runId }) => runId) }, 'attempt begins');
    worker.listen(
      (event) => this.#onEvent(event),
      (exit) => this.#endWithError(errorOfExit(exit, this.#progress.detail)),
    );
    this.#stuckTimer = setInterval(() => this.#checkStuck(), STUCK_CHECK_MS);
    // The worker's spans are children of the attempt's.
    const traceparent = this.#span.traceparent ?? this.task.traceparent;
    worker.send({ type: 'start', task: { ...this.task, traceparent } });
    failpoint('attempt.started');
  }

  /** What the coordinator wants of this task; the same directive may come with every heartbeat until it is obeyed. */
  obey(directive: TaskDirective): void {
    this.stopRuns(directive.stoppedRunIds);
    switch (directive.command) {
      case null:
        return;
      case 'ABANDON':
        this.abandon('the coordinator says that the lease is over');
        return;
      case 'PAUSE':
        this.pause('PAUSED');
        return;
      case 'STOP':
        this.#askToStop();
        return;
      case 'KILL':
        this.#killAndStop('killing the worker as told');
        return;
      case 'CHECKPOINT_NOW':
        this.#control('checkpoint');
    }
  }

  /** Runs of the group that must stop; the others go on. */
  stopRuns(runIds: readonly string[]): void {
    const { taskId } = this.task;
    for (const runId of runIds) {
      if (this.#stoppedRunIds.has(runId) || this.#isEnding) continue;
      this.#stoppedRunIds.add(runId);
      this.#options.worker.send({ type: 'stop-run', taskId, runId });
    }
  }

  /** Saves and hands the task back; a drain outranks the reason given before. */
  pause(reason: ReleaseReason): void {
    if (this.#asked === null || reason === 'DRAINING') this.#releaseReason = reason;
    if (this.#asked !== null || this.#isEnding) return;
    this.#asked = 'pause';
    this.#log.info({ reason }, 'pausing');
    this.#control('pause');
  }

  /**
   * No answer for so long that the lease may end any moment: saves, and hands the task back when the coordinator is
   * there again. A worker that does not stop before the lease ends is killed.
   */
  pauseForSilence(silentMs: number): void {
    if (this.#isEnding) return;
    this.#log.warn({ silent_ms: Math.round(silentMs) }, 'no answer from the coordinator; the work pauses');
    this.pause('PREEMPTED');
    const { leaseMs, silenceLimitMs } = this.#options.timing();
    this.#silenceTimer ??= setTimeout(
      () => this.#killAndFail('COORDINATOR_LOST', 'No answer from the coordinator until the lease ended.'),
      leaseMs - silenceLimitMs,
    );
  }

  /** The lease is lost: the worker is killed, and nothing more is written. */
  abandon(reason: string): void {
    if (this.#isEnded) return;
    this.#log.warn({ reason }, 'attempt abandoned');
    this.#span.fail(reason);
    void this.#options.worker.kill();
    this.#end();
  }

  /** The last resort of a drain: the worker is killed and the task handed back as its last checkpoint left it. */
  killAndRelease(): void {
    if (this.#isEnding) return;
    this.#log.warn('the worker did not save in time; it is killed');
    void this.#options.worker.kill();
    this.#endWith(() => this.#release('DRAINING'));
  }

  #onEvent(event: SlotEvent): void {
    if (event.type === 'ready' || event.taskId !== this.task.taskId || this.#isEnding) return;
    switch (event.type) {
      case 'progress':
        if (event.detail !== this.#progress.detail) this.#watch.touch(this.#now());
        this.#watch.step(event.stepCount, this.#now());
        this.#progress = { stepCount: event.stepCount, stepLimit: event.stepLimit, detail: event.detail };
        return;
      case 'epoch': {
        const { runId, stage, epoch, values } = event;
        this.#watch.touch(this.#now());
        this.#epochCounts.set(runId, epoch);
        this.#span.event('epoch', { 'graft.run_id': runId, 'graft.stage': stage, 'graft.epoch': epoch });
        this.#options.metrics.report({ runId, stage, epoch, values });
        return;
      }
      case 'checkpoint': {
        this.#watch.touch(this.#now());
        const durable = this.#acknowledged();
        this.#then(async () => {
          await durable;
          failpoint('checkpoint.registering');
          await this.#call((signal) =>
            this.#options.coordinator.registerCheckpoint(this.task, event.checkpoint, signal),
          );
          failpoint('checkpoint.registered');
        });
        return;
      }
      case 'completed':
        this.#endWith(() => this.#complete({ kind: 'result', result: event.result }));
        return;
      case 'failed':
        this.#endWithError(event.error);
        return;
      case 'stopped':
        this.#endWith(() => (event.action === 'pause' ? this.#release(this.#releaseReason) : this.#completeStopped()));
    }
  }

  #askToStop(): void {
    if (this.#asked === 'stop' || this.#isEnding) return;
    this.#asked = 'stop';
    this.#log.info('stopping');
    this.#control('stop');
    const deadlineMs = this.#options.stopDeadlineMs ?? STOP_DEADLINE_MS;
    this.#stopTimer = setTimeout(
      () => this.#killAndStop(`the worker did not stop within ${deadlineMs / 1_000} s; it is killed`),
      deadlineMs,
    );
  }

  #control(action: 'pause' | 'stop' | 'checkpoint'): void {
    if (!this.#isEnding) this.#options.worker.send({ type: 'control', taskId: this.task.taskId, action });
  }

  /** The epochs that were reported so far are the result. */
  #killAndStop(why: string): void {
    if (this.#isEnding) return;
    this.#log.info(why);
    void this.#options.worker.kill();
    this.#endWith(() => this.#completeStopped());
  }

  #killAndFail(code: string, message: string): void {
    if (this.#isEnding) return;
    void this.#options.worker.kill();
    this.#endWithError({ errorClass: 'INFRASTRUCTURE', code, message, datasetProblems: [] });
  }

  #checkStuck(): void {
    const stuckMs = this.#isEnding ? null : this.#watch.stuckForMs(this.#now());
    if (stuckMs === null) return;
    const { stepCount, stepLimit, detail } = this.#progress;
    this.#killAndFail(
      'WORKER_STUCK',
      `The worker made no progress for ${Math.round(stuckMs / 1_000)} s at step ${stepCount} of ${stepLimit} ` +
        `(${detail}; ${describeProcess(this.#options.worker.pid)}) and was killed.`,
    );
  }

  #endWithError(error: TaskError): void {
    if (this.#isEnding) return;
    this.#log.warn({ error_class: error.errorClass, code: error.code, reason: error.message }, 'attempt failed');
    this.#span.set({ 'graft.error_class': error.errorClass, 'error.type': error.code });
    this.#span.fail(error.message);
    // What a lost device has left in the worker is of no use; the next worker finds out whether it is back.
    if (error.code === 'DEVICE_LOST') void this.#options.worker.kill();
    this.#endWith(async () => this.#complete({ kind: 'error', error: await this.#explained(error) }));
  }

  async #explained(error: TaskError): Promise<TaskError> {
    return (await this.#options.explain?.(error, this.task)) ?? error;
  }

  /** The last step, after everything that was reported before it. */
  #endWith(step: () => Promise<void>): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const durable = this.#acknowledged();
    this.#then(async () => {
      await durable;
      await step();
      this.#end();
    });
  }

  /** Asked for at once, so that it covers exactly the epochs so far; its failure is met where it is awaited. */
  #acknowledged(): Promise<void> {
    const acknowledged = this.#options.metrics.acknowledged();
    acknowledged.catch(() => undefined);
    return acknowledged;
  }

  #then(step: () => Promise<void>): void {
    this.#chain = this.#chain.then(async () => {
      if (this.#isEnded) return;
      try {
        await step();
      } catch (error) {
        await this.#onCallFailure(error);
      }
    });
  }

  async #onCallFailure(error: unknown): Promise<void> {
    if (this.#isEnded) return;
    const message = error instanceof Error ? error.message : String(error);
    const refused = errorOfRefusal(error);
    if (refused === null) {
      this.abandon(message);
      return;
    }
    this.#log.error({ err: error }, 'the coordinator refused a report of this attempt');
    this.#isEnding = true;
    void this.#options.worker.kill();
    await this.#complete({ kind: 'error', error: refused });
    this.#end();
  }

  async #complete(end: TaskEnd): Promise<void> {
    try {
      failpoint('task.completing');
      await this.#call((signal) => this.#options.coordinator.completeTask(this.task, end, signal));
      failpoint('task.completed');
      this.#log.info({ kind: end.kind }, 'attempt completed');
    } catch (error) {
      if (this.#isEnded) return;
      const message = error instanceof Error ? error.message : String(error);
      if (classifyFailure(error) === 'LOST') {
        this.abandon(message);
      } else if (end.kind === 'result') {
        this.#log.error({ err: error }, 'the coordinator refused the result');
        // Another attempt would bring the same result, unless it can't be true: then this trainer is at fault.
        const errorClass = isRefusedReport(error) ? 'INFRASTRUCTURE' : 'PERMANENT';
        const refused = { errorClass, code: 'RESULT_REFUSED', message, datasetProblems: [] } as const;
        await this.#complete({ kind: 'error', error: refused });
      } else {
        this.#log.error({ err: error }, 'the coordinator refused the error too; the lease is left to expire');
      }
    }
  }

  /** STOP and KILL: the runs' epochs so far are their result; other stages have nothing to keep. */
  async #completeStopped(): Promise<void> {
    const { stage, runs } = this.task;
    if (stage !== 'HEAD' && stage !== 'FINE_TUNE') {
      await this.#release('PAUSED');
      return;
    }
    const peakMemoryBytes = this.#options.worker.peakMemoryBytes;
    const outcomes = runs.map(({ runId, resumeCheckpoint }): RunOutcome => ({
      runId,
      kind: 'STOPPED',
      error: null,
      epochCount: this.#epochCounts.get(runId) ?? resumeCheckpoint?.epoch ?? 0,
      peakMemoryBytes,
    }));
    await this.#complete({ kind: 'result', result: { stage: 'TRAIN', outcomes } });
  }

  async #release(reason: ReleaseReason): Promise<void> {
    await this.#call((signal) => this.#options.coordinator.releaseTask(this.task, reason, signal));
    this.#log.info({ reason }, 'task handed back');
  }

  async #call<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#calls;
    return await untilAnswered(
      {
        signal,
        register: this.#options.register,
        onRetry: (error, delayMs) =>
          this.#log.warn(
            { reason: error instanceof Error ? error.message : String(error), delay_ms: delayMs },
            'call not answered; making it again',
          ),
      },
      () => this.#span.run(() => call(signal)),
    );
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isEnding = true;
    this.#options.worker.unlisten();
    if (this.#stuckTimer !== null) clearInterval(this.#stuckTimer);
    for (const timer of [this.#silenceTimer, this.#stopTimer]) if (timer !== null) clearTimeout(timer);
    this.#options.metrics.close();
    this.#calls.abort(new Error('The attempt has ended.'));
    this.#span.end();
    this.#resolveEnded();
  }
}
