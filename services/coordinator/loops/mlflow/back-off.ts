const FIRST_WAIT_MS = 1_000;

/** Longest wait of a subject whose requests fail while those of others succeed. */
export const MAX_SUBJECT_WAIT_MS = 300_000;
/** Longest wait for the whole server. One subject at a time polls it, often enough to notice when it is available again. */
export const MAX_SERVER_WAIT_MS = 60_000;

/**
 * Returns the wait in milliseconds after `failureCount` failures in a row: 1, 2, 4 … s up to `maxMs`, with jitter between half and
 * all of it, and at least `retryAfterMs`.
 *
 * @param random uniform in [0, 1).
 */
export function backOffMs(failureCount: number, maxMs: number, retryAfterMs: number | null, random: number): number {
  const full = Math.min(maxMs, FIRST_WAIT_MS * 2 ** Math.min(30, Math.max(0, failureCount - 1)));
  return Math.round(Math.max(full * (0.5 + random / 2), retryAfterMs ?? 0));
}
