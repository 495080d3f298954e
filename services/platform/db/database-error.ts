import { DatabaseUnavailableError } from '../../core/errors.ts';

const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/**
 * 08: connection; 25P03: closed because its transaction was idle for too long; 57P01 to 57P03: the server shuts down,
 * crashed or starts; 53: out of connections, disk or memory.
 */
const UNAVAILABLE_STATE = /^(08...|25P03|57P0[123]|53...)$/;

/** Messages of pg itself, which has no codes for them (pg 8.23 lib/client.js, pg-pool index.js). */
const CONNECTION_MESSAGE =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|not queryable|database system is (starting up|shutting down)/i;

/** Serialization failure and deadlock: the transaction was rolled back and can be retried. */
const CONFLICT_STATES: ReadonlySet<string> = new Set(['40001', '40P01']);

/** Returns the error's SQLSTATE or Node.js code; empty if it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Returns whether the server was lost, is not up yet or has no capacity, so that waiting may help. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return true;
  // Node.js tries all addresses of a host name and reports every failure.
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  const code = errorCode(error);
  if (NETWORK_CODES.has(code) || UNAVAILABLE_STATE.test(code)) return true;
  return error instanceof Error && CONNECTION_MESSAGE.test(error.message);
}

/** Returns whether two transactions conflicted. */
export function isConflict(error: unknown): boolean {
  return CONFLICT_STATES.has(errorCode(error));
}

/**
 * Returns whether a column type changed under a statement that this connection had prepared; a new connection is not
 * affected.
 */
export function isStalePlan(error: unknown): boolean {
  // The message is localised; the name of the function that raises the error is not.
  return error instanceof Error && 'routine' in error && error.routine === 'RevalidateCachedQuery';
}

/** Converts connection failures into DatabaseUnavailableError and returns all other errors unchanged. */
export function toDatabaseError(error: unknown): unknown {
  if (!isUnavailable(error) || error instanceof DatabaseUnavailableError) return error;
  return new DatabaseUnavailableError(describe(error), { cause: error });
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}
