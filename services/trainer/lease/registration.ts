import type { LeaseTiming } from '../../core/lease.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { Coordinator, Registered, TrainerDescription } from './coordinator-port.ts';
import type { MachineHealth } from './machine-health.ts';
import { untilAnswered } from './patience.ts';

/** Heartbeats between two checks of a machine that is benched, or on which a task has failed. */
const CHECK_AFTER_HEARTBEATS = 3;
const MAX_CHECK_DELAY_MS = 900_000;
/** Faults older than this don't delay the next check. */
const FORGET_MS = 3_600_000;

export interface RegistrationOptions {
  readonly coordinator: Coordinator;
  readonly description: TrainerDescription;
  readonly health: MachineHealth;
  readonly log: Logger;
  /** Ends retries and checks. */
  readonly signal: AbortSignal;
}

/**
 * The trainer's registration: reports to the coordinator who the trainer is and whether its machine can work. It is renewed
 * when the coordinator does not know the trainer, and periodically while the machine is benched or has failed a task. So a
 * machine that was repaired works again by itself.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  #registered: Registered;
  /** A renewal on its way. */
  #renewal: Promise<void> | null = null;
  #checkTimer: NodeJS.Timeout | null = null;
  #scheduledAt = 0;
  /** Checks for faults that came back within `FORGET_MS`; each doubles the delay. */
  #checkCount = 0;

  private constructor(options: RegistrationOptions, registered: Registered) {
    this.#options = options;
    this.#registered = registered;
    this.#accept(registered);
  }

  /** Registers the trainer for the first time. Waits for as long as no coordinator answers. */
  static async open(options: RegistrationOptions): Promise<Registration> {
    const registered = await report(options);
    if (registered.benchReason !== '' || registered.clusterId === '') return new Registration(options, registered);
    // Before the cluster's ID was known, nothing could be written to the store to check it.
    return new Registration(options, await report(options));
  }

  /** Timing of leases, as the coordinator reported it last. */
  get timing(): LeaseTiming {
    return this.#registered;
  }

  /** Registers again; concurrent callers share one call. Waits for as long as no coordinator answers. */
  async renew(): Promise<void> {
    this.#renewal ??= report(this.#options)
      .then((registered) => this.#accept(registered))
      .finally(() => (this.#renewal = null));
    await this.#renewal;
  }

  /**
   * Schedules a check of this machine after it has failed a task.
   *
   * @param isCertain the machine can't work at all: it is checked at once.
   */
  suspect(isCertain: boolean): void {
    if (isCertain) void this.renew().catch(() => undefined);
    else this.#scheduleCheck();
  }

  #accept(registered: Registered): void {
    const { description, log } = this.#options;
    const { benchReason: reason, ...timing } = registered;
    this.#registered = registered;
    const fields = { trainer_id: description.trainerId };
    if (reason === '') {
      log.info({ ...fields, ...timing }, 'registered');
    } else {
      log.error({ ...fields, reason }, 'registered, but benched: it gets no tasks until this is fixed');
      this.#scheduleCheck();
    }
  }

  /** Faults that come back double the delay, so that a bad machine does not fail a task every few seconds. */
  #scheduleCheck(): void {
    const { signal } = this.#options;
    if (this.#checkTimer !== null || signal.aborted) return;
    const now = performance.now();
    if (now - this.#scheduledAt > FORGET_MS) this.#checkCount = 0;
    const delayMs = Math.min(
      MAX_CHECK_DELAY_MS,
      CHECK_AFTER_HEARTBEATS * this.timing.heartbeatMs * 2 ** Math.min(this.#checkCount, 10),
    );
    // A benched machine is checked at a constant interval for as long as the bench lasts.
    if (this.#registered.benchReason === '') this.#checkCount += 1;
    this.#scheduledAt = now;
    this.#checkTimer = setTimeout(() => {
      this.#checkTimer = null;
      void this.renew().catch(() => undefined);
    }, delayMs);
    this.#checkTimer.unref();
    signal.addEventListener('abort', () => clearTimeout(this.#checkTimer ?? undefined), { once: true });
  }
}

/** Checks the machine and reports it with the trainer's description, until a coordinator answers. */
async function report({ coordinator, description, health, log, signal }: RegistrationOptions): Promise<Registered> {
  const store = await health.report();
  const registered = await untilAnswered(
    {
      signal,
      register: () => Promise.resolve(),
      onRetry: (error, delayMs) =>
        log.warn(
          { reason: error instanceof Error ? error.message : String(error), delay_ms: delayMs },
          'could not register; retrying',
        ),
    },
    () => coordinator.register(description, store),
  );
  health.belongsTo(registered.clusterId);
  return registered;
}
