import type { CheckpointRef, LeasedTask } from '../../core/task.ts';
import { failpoint } from '../../platform/lifecycle/failpoint.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Span } from '../../platform/telemetry/tracer.ts';
import type { Coordinator, ReleaseReason, TaskEnd } from '../lease/coordinator-port.ts';
import { untilAnswered } from '../lease/patience.ts';

export interface AttemptCallsOptions {
  readonly task: LeasedTask;
  readonly coordinator: Coordinator;
  readonly register: () => Promise<void>;
  readonly span: Span;
  readonly log: Logger;
}

/** The calls of one attempt to the coordinator, each retried until it is answered. Queued steps run one after the other. */
export class AttemptCalls {
  readonly #options: AttemptCallsOptions;
  readonly #ending = new AbortController();
  #queue: Promise<void> = Promise.resolve();

  constructor(options: AttemptCallsOptions) {
    this.#options = options;
  }

  /**
   * Runs a step after all steps queued before, unless the attempt has ended.
   *
   * @param onFailure receives the step's error; must not reject.
   */
  queue(step: () => Promise<void>, onFailure: (error: unknown) => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#ending.signal.aborted) return;
      try {
        await step();
      } catch (error) {
        await onFailure(error);
      }
    });
  }

  async registerCheckpoint(checkpoint: CheckpointRef): Promise<void> {
    failpoint('checkpoint.registering');
    const { task, coordinator } = this.#options;
    await this.#untilAnswered((signal) => coordinator.registerCheckpoint(task, checkpoint, signal));
    failpoint('checkpoint.registered');
  }

  async complete(end: TaskEnd): Promise<void> {
    failpoint('task.completing');
    const { task, coordinator, log } = this.#options;
    await this.#untilAnswered((signal) => coordinator.completeTask(task, end, signal));
    failpoint('task.completed');
    log.info({ kind: end.kind }, 'attempt completed');
  }

  async release(reason: ReleaseReason): Promise<void> {
    const { task, coordinator, log } = this.#options;
    await this.#untilAnswered((signal) => coordinator.releaseTask(task, reason, signal));
    log.info({ reason }, 'task handed back');
  }

  /** Ends the current call and drops all queued steps. */
  end(): void {
    this.#ending.abort(new Error('The attempt has ended.'));
  }

  async #untilAnswered<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { register, span, log } = this.#options;
    const { signal } = this.#ending;
    const onRetry = (error: unknown, delayMs: number): void =>
      log.warn(
        { reason: error instanceof Error ? error.message : String(error), delay_ms: delayMs },
        'call not answered; retrying',
      );
    return await untilAnswered({ signal, register, onRetry }, () => span.run(() => call(signal)));
  }
}
