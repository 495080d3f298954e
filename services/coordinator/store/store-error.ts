import { errorCode, toDatabaseError } from '../../platform/db/database-error.ts';
import { DatabaseUnavailableError, InvalidRequestError } from '../../core/errors.ts';

/** Prisma's codes for: no server, timeout, connection closed, no free connection. */
const PRISMA_UNAVAILABLE: ReadonlySet<string> = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);

/** As text and inside JSON. Prisma has the code in its message only. */
const NUL_CODES: ReadonlySet<string> = new Set(['22021', '22P05']);
const PRISMA_NUL = /Code: `(22021|22P05)`/;

/**
 * Tells failures of the connection, as the driver or Prisma reports them, and text that can't be stored from faults of ours.
 * Others are returned as they are.
 */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ('code' in error && typeof error.code === 'string' && PRISMA_UNAVAILABLE.has(error.code)) {
    return new DatabaseUnavailableError(error.message, { cause: error });
  }
  if (NUL_CODES.has(errorCode(error)) || PRISMA_NUL.test(error.message)) {
    const description = 'text must not have the character U+0000, which PostgreSQL does not store.';
    return new InvalidRequestError([{ field: 'request', description }]);
  }
  const known = toDatabaseError(error);
  if (known !== error || error.cause === undefined) return known;
  // Prisma wraps what the driver threw.
  const cause = toDatabaseError(error.cause);
  return cause instanceof DatabaseUnavailableError ? cause : error;
}
