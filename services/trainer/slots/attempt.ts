import type { LeaseTiming } from '../../core/lease.ts';
import type { LeasedTask, RunOutcome, TaskError } from '../../core/task.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Span } from '../../platform/telemetry/tracer.ts';
import type { Coordinator, ReleaseReason, TaskDirective, TaskEnd, TaskProgress } from '../lease/coordinator-port.ts';
import { isRefusedReport } from '../lease/metric-outbox.ts';
import type { AttemptMetrics, MetricStream } from '../lease/metric-stream.ts';
import { classifyFailure } from '../lease/patience.ts';
import { AttemptCalls } from './attempt-calls.ts';
import { isOpen, mayEnter } from './attempt-mode.ts';
import type { AttemptMode } from './attempt-mode.ts';
import { startAttemptSpan } from './attempt-span.ts';
import { ProgressWatch } from './progress-watch.ts';
import { errorOfRefusal } from './refused-call.ts';
import { describeProcess, errorOfExit } from './worker-exit.ts';
import type { WorkerProcess } from './worker-process.ts';
import type { SlotEvent } from './worker-protocol.ts';

const STUCK_CHECK_MS = 1_000;
/** Time that a worker has to finish its step and save after STOP, before it is killed. */
const STOP_DEADLINE_MS = 60_000;

export interface AttemptOptions {
  readonly task: LeasedTask;
  readonly worker: WorkerProcess;
  readonly coordinator: Coordinator;
  readonly metricStream: Pick<MetricStream, 'open'>;
  readonly timing: () => LeaseTiming;
  readonly register: () => Promise<void>;
  /** Returns the attempt's error unchanged, or the machine fault behind it. Default: unchanged. */
  readonly explain?: (error: TaskError, task: LeasedTask) => Promise<TaskError>;
  readonly log: Logger;
  /** Milliseconds on a monotonic clock; for tests. */
  readonly now?: () => number;
  /** Deadline of STOP; for tests. */
  readonly stopDeadlineMs?: number;
}

/**
 * One execution of a leased task by a worker. The worker's events become calls to the coordinator, one after the other, in the
 * order of the events. So a checkpoint is registered only when all epochs before it are durable, and the outcome is reported
 * only when everything before it is. `attempt-mode.ts` describes the states.
 */
export class Attempt {
  readonly task: LeasedTask;
  /** Resolves when the attempt has ended; never rejects. */
  readonly ended: Promise<void>;
  readonly #options: AttemptOptions;
  readonly #log: Logger;
  readonly #span: Span;
  readonly #metrics: AttemptMetrics;
  readonly #now: () => number;
  readonly #calls: AttemptCalls;
  readonly #watch: ProgressWatch;
  readonly #epochCounts = new Map<string, number>();
  readonly #stoppedRunIds = new Set<string>();
  readonly #timers = new Map<'stuck' | 'silence' | 'stop', NodeJS.Timeout>();
  readonly #resolveEnded: () => void;
  #mode: AttemptMode = { name: 'working' };
  #progress = { stepCount: 0, stepLimit: 0, detail: 'starting' };

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
    this.#calls = new AttemptCalls({ ...options, span: this.#span, log: this.#log });
    this.#metrics = options.metricStream.open(options.task, (runIds) => this.stopRuns(runIds));
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
      (exit) => this.#finishWithError(errorOfExit(exit, this.#progress.detail)),
    );
    this.#timers.set(
      'stuck',
      setInterval(() => this.#checkStuck(), STUCK_CHECK_MS),
    );
    // The worker's spans are children of the attempt's.
    const traceparent = this.#span.traceparent ?? this.task.traceparent;
    worker.send({ type: 'start', task: { ...this.task, traceparent } });
    failpoint('attempt.started');
  }

  /** Obeys the coordinator's directive. The same directive may come with every heartbeat until it takes effect. */
  obey(directive: TaskDirective): void {
    this.stopRuns(directive.stoppedRunIds);
    switch (directive.command) {
      case null:
        return;
      case 'ABANDON':
        this.abandon('the coordinator reports that the lease is lost');
        return;
      case 'PAUSE':
        this.pause('PAUSED');
        return;
      case 'STOP':
        this.#stop();
        return;
      case 'KILL':
        this.#killAndStop('KILL received; the worker is killed');
        return;
      case 'CHECKPOINT_NOW':
        if (isOpen(this.#mode)) this.#control('checkpoint');
    }
  }

  /** Stops single runs of the group; the other runs continue. */
  stopRuns(runIds: readonly string[]): void {
    const { taskId } = this.task;
    for (const runId of runIds) {
      if (this.#stoppedRunIds.has(runId) || !isOpen(this.#mode)) continue;
      this.#stoppedRunIds.add(runId);
      this.#options.worker.send({ type: 'stop-run', taskId, runId });
    }
  }

  /** Asks the worker to save, then hands the task back. DRAINING replaces the reason of an earlier pause. */
  pause(reason: ReleaseReason): void {
    if (this.#mode.name === 'working') {
      this.#enter({ name: 'pausing', releaseReason: reason });
      this.#log.info({ reason }, 'pausing');
      this.#control('pause');
    } else if (this.#mode.name !== 'ended' && reason === 'DRAINING') {
      this.#enter({ name: this.#mode.name, releaseReason: reason });
    }
  }

  /**
   * Pauses because the coordinator has not answered within the silence limit, and the lease may expire at any moment. The task is
   * handed back when the coordinator answers. A worker that has not stopped when the lease ends is killed.
   */
  pauseForSilence(silentMs: number): void {
    if (!isOpen(this.#mode)) return;
    this.#log.warn({ silent_ms: Math.round(silentMs) }, 'no answer from the coordinator; pausing');
    this.pause('PREEMPTED');
    if (this.#timers.has('silence')) return;
    const { leaseMs, silenceLimitMs } = this.#options.timing();
    const timer = setTimeout(
      () => this.#killAndFail('COORDINATOR_LOST', 'The coordinator did not answer before the lease ended.'),
      leaseMs - silenceLimitMs,
    );
    this.#timers.set('silence', timer);
  }

  /** Ends an attempt that has lost its lease: the worker is killed, and nothing more is written. */
  abandon(reason: string): void {
    if (this.#mode.name === 'ended') return;
    this.#log.warn({ reason }, 'attempt abandoned');
    this.#span.fail(reason);
    void this.#options.worker.kill();
    this.#end();
  }

  /** Kills the worker and hands the task back at its last checkpoint; used when a drain takes too long. */
  killAndRelease(): void {
    if (!isOpen(this.#mode)) return;
    this.#log.warn('the worker did not save in time; it is killed');
    void this.#options.worker.kill();
    this.#finish(() => this.#calls.release('DRAINING'));
  }

  /** Enters a mode if the current one allows it (`attempt-mode.ts`). Returns whether it did. */
  #enter(next: AttemptMode): boolean {
    if (!mayEnter(this.#mode, next)) return false;
    this.#mode = next;
    return true;
  }

  /** Reason for handing the task back after a pause. */
  get #releaseReason(): ReleaseReason {
    return 'releaseReason' in this.#mode ? this.#mode.releaseReason : 'PAUSED';
  }

  #onEvent(event: SlotEvent): void {
    if (event.type === 'ready' || event.taskId !== this.task.taskId || !isOpen(this.#mode)) return;
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
        this.#metrics.report({ runId, stage, epoch, values });
        return;
      }
      case 'rung':
        this.#watch.touch(this.#now());
        this.#metrics.reportRung(event.report);
        return;
      case 'checkpoint': {
        this.#watch.touch(this.#now());
        const durable = this.#acknowledged();
        this.#queue(async () => {
          await durable;
          await this.#calls.registerCheckpoint(event.checkpoint);
        });
        return;
      }
      case 'completed':
        this.#finish(() => this.#complete({ kind: 'result', result: event.result }));
        return;
      case 'failed':
        this.#finishWithError(event.error);
        return;
      case 'stopped':
        this.#finish(() =>
          event.action === 'pause' ? this.#calls.release(this.#releaseReason) : this.#completeStopped(),
        );
    }
  }

  #stop(): void {
    if (this.#mode.name === 'stopping') return;
    if (!this.#enter({ name: 'stopping', releaseReason: this.#releaseReason })) return;
    this.#log.info('stopping');
    this.#control('stop');
    const deadlineMs = this.#options.stopDeadlineMs ?? STOP_DEADLINE_MS;
    const timer = setTimeout(
      () => this.#killAndStop(`the worker did not stop within ${deadlineMs / 1_000} s; it is killed`),
      deadlineMs,
    );
    this.#timers.set('stop', timer);
  }

  #control(action: 'pause' | 'stop' | 'checkpoint'): void {
    this.#options.worker.send({ type: 'control', taskId: this.task.taskId, action });
  }

  /** Kills the worker; the epochs reported so far are the result. */
  #killAndStop(why: string): void {
    if (!isOpen(this.#mode)) return;
    this.#log.info(why);
    void this.#options.worker.kill();
    this.#finish(() => this.#completeStopped());
  }

  #killAndFail(code: string, message: string): void {
    if (!isOpen(this.#mode)) return;
    void this.#options.worker.kill();
    this.#finishWithError({ errorClass: 'INFRASTRUCTURE', code, message, datasetProblems: [] });
  }

  #checkStuck(): void {
    const stuckMs = isOpen(this.#mode) ? this.#watch.stuckForMs(this.#now()) : null;
    if (stuckMs === null) return;
    const { stepCount, stepLimit, detail } = this.#progress;
    this.#killAndFail(
      'WORKER_STUCK',
      `The worker made no progress for ${Math.round(stuckMs / 1_000)} s at step ${stepCount} of ${stepLimit} ` +
        `(${detail}; ${describeProcess(this.#options.worker.pid)}) and was killed.`,
    );
  }

  #finishWithError(error: TaskError): void {
    if (!isOpen(this.#mode)) return;
    this.#log.warn({ error_class: error.errorClass, code: error.code, reason: error.message }, 'attempt failed');
    this.#span.set({ 'graft.error_class': error.errorClass, 'error.type': error.code });
    this.#span.fail(error.message);
    // The worker's state is useless after its device was lost; the next worker checks whether the device is back.
    if (error.code === 'DEVICE_LOST') void this.#options.worker.kill();
    this.#finish(async () => this.#complete({ kind: 'error', error: await this.#explained(error) }));
  }

  async #explained(error: TaskError): Promise<TaskError> {
    return (await this.#options.explain?.(error, this.task)) ?? error;
  }

  /** Decides the outcome: queues its call behind everything that was reported before, then ends the attempt. */
  #finish(lastCall: () => Promise<void>): void {
    if (!isOpen(this.#mode)) return;
    this.#enter({ name: 'reporting', releaseReason: this.#releaseReason });
    const durable = this.#acknowledged();
    this.#queue(async () => {
      await durable;
      await lastCall();
      this.#end();
    });
  }

  /** Requested immediately, so that it covers exactly the epochs so far. Its failure is handled where it is awaited. */
  #acknowledged(): Promise<void> {
    const acknowledged = this.#metrics.acknowledged();
    acknowledged.catch(() => undefined);
    return acknowledged;
  }

  #queue(step: () => Promise<void>): void {
    this.#calls.queue(step, (error) => this.#onCallFailure(error));
  }

  async #onCallFailure(error: unknown): Promise<void> {
    if (this.#mode.name === 'ended') return;
    const message = error instanceof Error ? error.message : String(error);
    const refused = errorOfRefusal(error);
    if (refused === null) {
      this.abandon(message);
      return;
    }
    this.#log.error({ err: error }, 'the coordinator refused a report of this attempt');
    this.#enter({ name: 'reporting', releaseReason: this.#releaseReason });
    void this.#options.worker.kill();
    await this.#complete({ kind: 'error', error: refused });
    this.#end();
  }

  async #complete(end: TaskEnd): Promise<void> {
    try {
      await this.#calls.complete(end);
    } catch (error) {
      if (this.#mode.name === 'ended') return;
      const message = error instanceof Error ? error.message : String(error);
      if (classifyFailure(error) === 'LOST') {
        this.abandon(message);
      } else if (end.kind === 'result') {
        this.#log.error({ err: error }, 'the coordinator refused the result');
        // Another attempt would compute the same result. An impossible result, however, is this trainer's fault.
        const errorClass = isRefusedReport(error) ? 'INFRASTRUCTURE' : 'PERMANENT';
        const refused = { errorClass, code: 'RESULT_REFUSED', message, datasetProblems: [] } as const;
        await this.#complete({ kind: 'error', error: refused });
      } else {
        this.#log.error({ err: error }, 'the coordinator refused the error too; the lease is left to expire');
      }
    }
  }

  /** Completes HEAD and FINE_TUNE with the epochs so far; other stages have no partial result and are handed back. */
  async #completeStopped(): Promise<void> {
    const { stage, runs } = this.task;
    if (stage !== 'HEAD' && stage !== 'FINE_TUNE') {
      await this.#calls.release('PAUSED');
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

  #end(): void {
    if (!this.#enter({ name: 'ended' })) return;
    this.#options.worker.unlisten();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#metrics.close();
    this.#calls.end();
    this.#span.end();
    this.#resolveEnded();
  }
}
