/**
 * Times of a lease. All are measured on the database's clock, except `silenceLimitMs`: a trainer cannot reach the database and
 * measures it with its own monotonic clock.
 */
export interface LeaseTiming {
  /** Time between two heartbeats of a trainer. */
  readonly heartbeatMs: number;
  /** Time after `LeaseTask` or the last heartbeat at which a lease ends. It begins with `LeaseTask`. */
  readonly leaseMs: number;
  /** Time between two searches for expired leases. */
  readonly reaperMs: number;
  /** Time without an answer after which a trainer stops computing; shorter than the lease, so that the trainer stops first. */
  readonly silenceLimitMs: number;
}

export const DEFAULT_LEASE_TIMING: LeaseTiming = {
  heartbeatMs: 10_000,
  leaseMs: 30_000,
  reaperMs: 5_000,
  silenceLimitMs: 25_000,
};

/** Shortest time without progress after which a worker counts as stuck. */
const STUCK_MIN_MS = 120_000;

/**
 * Returns the time without progress after which a worker counts as stuck: five median steps, at least `STUCK_MIN_MS`.
 *
 * @param medianStepMs null while too few steps were measured.
 */
export function stuckAfterMs(medianStepMs: number | null): number {
  return Math.max(STUCK_MIN_MS, 5 * (medianStepMs ?? 0));
}

/**
 * Returns the times for a lease duration that the server reports, in the proportions of the defaults.
 *
 * @param leaseMs above 0, milliseconds.
 */
export function leaseTimingFor(leaseMs: number): LeaseTiming {
  const scale = leaseMs / DEFAULT_LEASE_TIMING.leaseMs;
  return {
    heartbeatMs: Math.round(DEFAULT_LEASE_TIMING.heartbeatMs * scale),
    leaseMs,
    reaperMs: Math.round(DEFAULT_LEASE_TIMING.reaperMs * scale),
    silenceLimitMs: Math.round(DEFAULT_LEASE_TIMING.silenceLimitMs * scale),
  };
}
