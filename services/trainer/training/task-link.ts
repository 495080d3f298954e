import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ProgressListener } from '../engine/progress.ts';
import type { SlotCommand, SlotEvent } from '../slots/worker-protocol.ts';

const PROGRESS_INTERVAL_MS = 1_000;
const YIELD_INTERVAL_MS = 5;

export type StopAction = 'pause' | 'stop';

/** Thrown to leave work that has nothing to save after `pause` or `stop`. */
export class TaskStoppedError extends Error {
  override readonly name = 'TaskStoppedError';
  readonly action: StopAction;

  constructor(action: StopAction) {
    super(`The task was asked to ${action}.`);
    this.action = action;
  }
}

/**
 * The link between a task and the supervisor: events out, commands in. TensorFlow's calls block the event loop, so work must
 * call `breathe` between its steps; otherwise no command arrives and no event is sent.
 */
export class TaskLink {
  readonly taskId: string;
  readonly #send: (event: SlotEvent) => void;
  readonly #stoppedRunIds = new Set<string>();
  #action: StopAction | null = null;
  #checkpointWanted = false;
  #lastProgressMs = -Infinity;
  #lastBreathMs = performance.now();

  constructor(taskId: string, send: (event: SlotEvent) => void) {
    this.taskId = taskId;
    this.#send = send;
  }

  emit(event: SlotEvent): void {
    this.#send(event);
  }

  /** Receives a `control` or `stop-run` command of this task. */
  receive(command: Exclude<SlotCommand, { type: 'start' }>): void {
    if (command.type === 'stop-run') this.#stoppedRunIds.add(command.runId);
    else if (command.action === 'checkpoint') this.#checkpointWanted = true;
    else this.#action = command.action;
  }

  /** The latest `pause` or `stop`; null if none was received. */
  get action(): StopAction | null {
    return this.#action;
  }

  isStopped(runId: string): boolean {
    return this.#stoppedRunIds.has(runId);
  }

  /** Returns whether a checkpoint was requested since the last call. */
  takeCheckpointRequest(): boolean {
    const wanted = this.#checkpointWanted;
    this.#checkpointWanted = false;
    return wanted;
  }

  /**
   * Lets messages in and out, and reports progress at most once a second.
   *
   * @param stepCount completed steps of `stepLimit`.
   */
  async breathe(stepCount: number, stepLimit: number, detail: string): Promise<void> {
    this.#reportProgress(stepCount, stepLimit, detail);
    // A turn of the event loop costs tens of microseconds, as much as a small step's op.
    if (performance.now() - this.#lastBreathMs < YIELD_INTERVAL_MS) return;
    await nextTurn();
    this.#lastBreathMs = performance.now();
  }

  /** Calls `breathe` for work that has nothing to save. @throws {TaskStoppedError} after `pause` or `stop`. */
  async breatheOrStop(stepCount: number, stepLimit: number, detail: string): Promise<void> {
    await this.breathe(stepCount, stepLimit, detail);
    this.#stopIfAsked();
  }

  /**
   * Reports the progress of work that lets the event loop turn by itself.
   *
   * @throws {TaskStoppedError} after `pause` or `stop`.
   */
  readonly onProgress: ProgressListener = ({ done, total, detail }) => {
    this.#reportProgress(done, total, detail);
    this.#stopIfAsked();
  };

  #reportProgress(stepCount: number, stepLimit: number, detail: string): void {
    const now = performance.now();
    if (now - this.#lastProgressMs < PROGRESS_INTERVAL_MS) return;
    this.#lastProgressMs = now;
    this.emit({ type: 'progress', taskId: this.taskId, stepCount, stepLimit, detail });
  }

  #stopIfAsked(): void {
    if (this.#action !== null) throw new TaskStoppedError(this.#action);
  }
}
