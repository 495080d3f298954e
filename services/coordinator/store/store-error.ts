import { toDatabaseError } from '../../platform/db/database-error.ts';
import { DatabaseUnavailableError } from '../../core/errors.ts';

/** Prisma's codes for: no server, timeout, connection closed, no free connection. */
const PRISMA_UNAVAILABLE: ReadonlySet<string> = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);

/**
 * Tells failures of the connection, as the driver or Prisma reports them, from faults of ours. Others are returned as they
 * are.
 */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ('code' in error && typeof error.code === 'string' && PRISMA_UNAVAILABLE.has(error.code)) {
    return new DatabaseUnavailableError(error.message, { cause: error });
  }
  const known = toDatabaseError(error);
  if (known !== error || error.cause === undefined) return known;
  // Prisma wraps what the driver threw.
  const cause = toDatabaseError(error.cause);
  return cause instanceof DatabaseUnavailableError ? cause : error;
}
