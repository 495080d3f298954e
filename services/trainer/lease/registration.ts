import type { LeaseTiming } from '../../core/lease.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, TrainerDescription } from './coordinator.ts';
import { untilAnswered } from './patience.ts';

/** Tells the coordinator who the trainer is, at the start and whenever it has forgotten. */
export class Registration {
  readonly #coordinator: Coordinator;
  readonly #description: TrainerDescription;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #timing: LeaseTiming | null = null;
  #running: Promise<void> | null = null;

  constructor(coordinator: Coordinator, description: TrainerDescription, log: Logger, signal: AbortSignal) {
    this.#coordinator = coordinator;
    this.#description = description;
    this.#log = log;
    this.#signal = signal;
  }

  /** As the coordinator told; known after the first `renew`. */
  get timing(): LeaseTiming {
    if (this.#timing === null) throw new Error('The trainer has not registered yet.');
    return this.#timing;
  }

  /** Resolves when registered; callers at the same time share one call. Waits as long as the coordinator is away. */
  async renew(): Promise<void> {
    this.#running ??= this.#register().finally(() => (this.#running = null));
    await this.#running;
  }

  async #register(): Promise<void> {
    this.#timing = await untilAnswered(
      {
        signal: this.#signal,
        register: () => Promise.resolve(),
        onRetry: (error, delayMs) =>
          this.#log.warn({ reason: messageOf(error), delay_ms: delayMs }, 'could not register; trying again'),
      },
      () => this.#coordinator.register(this.#description),
    );
    this.#log.info({ trainer_id: this.#description.trainerId, ...this.#timing }, 'registered');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
