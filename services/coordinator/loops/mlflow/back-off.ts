const FIRST_WAIT_MS = 1_000;

/** A subject whose requests fail while others work. */
export const MAX_SUBJECT_WAIT_MS = 300_000;
/** The whole server: it is asked by one subject at a time, so often enough to notice when it is back. */
export const MAX_SERVER_WAIT_MS = 60_000;

/**
 * How long to wait after so many failures in a row: 1, 2, 4 … s up to `maxMs`, between half and all of it, and never less than
 * the server asks for.
 *
 * @param random uniform in [0, 1).
 */
export function backOffMs(failureCount: number, maxMs: number, retryAfterMs: number | null, random: number): number {
  const full = Math.min(maxMs, FIRST_WAIT_MS * 2 ** Math.min(30, Math.max(0, failureCount - 1)));
  return Math.round(Math.max(full * (0.5 + random / 2), retryAfterMs ?? 0));
}
