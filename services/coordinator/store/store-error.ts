import { errorCode, toDatabaseError } from '../../platform/db/database-error.ts';
import { DatabaseUnavailableError, InvalidRequestError } from '../../core/errors.ts';

/** Prisma's codes of a missing server, a timeout, a closed connection and an exhausted pool. */
const PRISMA_UNAVAILABLE: ReadonlySet<string> = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);

/** SQLSTATE of U+0000 in a string and inside JSON. Prisma has the code only in its message. */
const NUL_CODES: ReadonlySet<string> = new Set(['22021', '22P05']);
const PRISMA_NUL = /Code: `(22021|22P05)`/;

/**
 * Converts errors of the driver or Prisma: connection failures to `DatabaseUnavailableError`, strings that can't be stored to
 * `InvalidRequestError`. Other errors are returned unchanged.
 */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ('code' in error && typeof error.code === 'string' && PRISMA_UNAVAILABLE.has(error.code)) {
    return new DatabaseUnavailableError(error.message, { cause: error });
  }
  if (NUL_CODES.has(errorCode(error)) || PRISMA_NUL.test(error.message)) {
    const description = 'strings must not contain the character U+0000, which PostgreSQL does not store.';
    return new InvalidRequestError([{ field: 'request', description }]);
  }
  const known = toDatabaseError(error);
  if (known !== error || error.cause === undefined) return known;
  // Prisma wraps what the driver threw.
  const cause = toDatabaseError(error.cause);
  return cause instanceof DatabaseUnavailableError ? cause : error;
}
