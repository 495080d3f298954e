/**
 * Times of a lease (semantics: "Leases"). All of them are decided on the database's clock, except `silenceLimitMs`, which a
 * trainer measures with its own monotonic clock because it can't reach the database.
 */
export interface LeaseTiming {
  /** Between two heartbeats of a trainer. */
  readonly heartbeatMs: number;
  /** A lease ends this long after `LeaseTask` or the last heartbeat; it exists from `LeaseTask` on. */
  readonly leaseMs: number;
  /** Between two searches for expired leases. */
  readonly reaperMs: number;
  /** A trainer without an answer for so long stops computing; shorter than the lease, so that it stops first. */
  readonly silenceLimitMs: number;
}

export const DEFAULT_LEASE_TIMING: LeaseTiming = {
  heartbeatMs: 10_000,
  leaseMs: 30_000,
  reaperMs: 5_000,
  silenceLimitMs: 25_000,
};

/** A worker without progress for so long is stuck, whatever its median step. */
const STUCK_MIN_MS = 120_000;

/**
 * When a worker counts as stuck: five median steps without progress, at least `STUCK_MIN_MS`.
 *
 * @param medianStepMs null while too few steps are known.
 */
export function stuckAfterMs(medianStepMs: number | null): number {
  return Math.max(STUCK_MIN_MS, 5 * (medianStepMs ?? 0));
}

/**
 * Scales the other times to a lease duration that the server tells, in the proportions of the defaults.
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
