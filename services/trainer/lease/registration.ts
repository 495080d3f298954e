import type { LeaseTiming } from '../../core/lease.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, Registered, TrainerDescription } from './coordinator-port.ts';
import type { MachineHealth } from './machine-health.ts';
import { untilAnswered } from './patience.ts';

/** Heartbeats between two looks at a machine that is benched, or on which a task has failed. */
const LOOK_AFTER_HEARTBEATS = 3;
const MAX_LOOK_MS = 900_000;
/** Faults of so long ago don't make the next look wait longer. */
const FORGET_MS = 3_600_000;

/**
 * Tells the coordinator who the trainer is and whether its machine can work: at the start, whenever the coordinator has forgotten,
 * and again and again while the machine is benched or has failed a task, so that one that was mended works again by itself.
 */
export class Registration {
  readonly #coordinator: Coordinator;
  readonly #description: TrainerDescription;
  readonly #health: MachineHealth;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  #timing: LeaseTiming | null = null;
  #running: Promise<void> | null = null;
  #lookTimer: NodeJS.Timeout | null = null;
  #looks = 0;
  #lookedAt = 0;
  #isBenched = false;

  constructor(
    coordinator: Coordinator,
    description: TrainerDescription,
    health: MachineHealth,
    log: Logger,
    signal: AbortSignal,
  ) {
    this.#coordinator = coordinator;
    this.#description = description;
    this.#health = health;
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

  /** A task has failed by this machine's fault: looks at it soon, and at once where it can't go on at all. */
  suspect(isCertain: boolean): void {
    if (isCertain) void this.renew().catch(() => undefined);
    else this.#lookSoon();
  }

  async #register(): Promise<void> {
    const isFirst = this.#timing === null;
    let registered = await this.#tell();
    this.#timing = registered;
    this.#health.belongsTo(registered.clusterId);
    // Only now is it known whether the store is one to write to.
    if (isFirst && registered.benchReason === '' && registered.clusterId !== '') registered = await this.#tell();
    const { benchReason: reason, ...timing } = registered;
    this.#timing = registered;
    this.#isBenched = reason !== '';
    const { trainerId } = this.#description;
    if (this.#isBenched)
      this.#log.error({ trainer_id: trainerId, reason }, 'registered, and benched: no tasks until this is mended');
    else this.#log.info({ trainer_id: trainerId, ...timing }, 'registered');
    if (this.#isBenched) this.#lookSoon();
  }

  /** The more often, the later: a machine that fails again and again must not cost a task every few seconds. */
  #lookSoon(): void {
    if (this.#lookTimer !== null || this.#signal.aborted) return;
    const now = performance.now();
    // A bench is looked at in the same rhythm for as long as it lasts; only faults that come back make it slower.
    if (now - this.#lookedAt > FORGET_MS) this.#looks = 0;
    const delayMs = Math.min(
      MAX_LOOK_MS,
      LOOK_AFTER_HEARTBEATS * this.timing.heartbeatMs * 2 ** Math.min(this.#looks, 10),
    );
    if (!this.#isBenched) this.#looks += 1;
    this.#lookedAt = now;
    this.#lookTimer = setTimeout(() => {
      this.#lookTimer = null;
      void this.renew().catch(() => undefined);
    }, delayMs);
    this.#lookTimer.unref();
    this.#signal.addEventListener('abort', () => clearTimeout(this.#lookTimer ?? undefined), { once: true });
  }

  async #tell(): Promise<Registered> {
    const report = await this.#health.report();
    return await untilAnswered(
      {
        signal: this.#signal,
        register: () => Promise.resolve(),
        onRetry: (error, delayMs) =>
          this.#log.warn({ reason: messageOf(error), delay_ms: delayMs }, 'could not register; trying again'),
      },
      () => this.#coordinator.register(this.#description, report),
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
