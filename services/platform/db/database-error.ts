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
 * 08: connection; 25P03: closed because its transaction was idle for too long; 57P01 to 57P03: the server ends, crashed or
 * starts; 53: out of connections, disk or memory.
 */
const UNAVAILABLE_STATE = /^(08...|25P03|57P0[123]|53...)$/;

/** pg itself has no codes for these (pg 8.23 lib/client.js, pg-pool index.js). */
const CONNECTION_MESSAGE =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|not queryable|database system is (starting up|shutting down)/i;

/** Serialization failure and deadlock: the transaction was rolled back and can be made again as it is. */
const CONFLICT_STATES: ReadonlySet<string> = new Set(['40001', '40P01']);

/** The error's SQLSTATE or Node.js code; empty where there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Whether the server was lost, is not there yet, or has no room: waiting may help. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return true;
  // Node.js tries all addresses of a name and reports the lot.
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  const code = errorCode(error);
  if (NETWORK_CODES.has(code) || UNAVAILABLE_STATE.test(code)) return true;
  return error instanceof Error && CONNECTION_MESSAGE.test(error.message);
}

/** Whether two transactions got in each other's way. */
export function isConflict(error: unknown): boolean {
  return CONFLICT_STATES.has(errorCode(error));
}

/** Whether a column's type was changed under a statement that this connection had prepared; another connection knows better. */
export function isStalePlan(error: unknown): boolean {
  // The message is in the server's language; the name of the function that raises it is not.
  return error instanceof Error && 'routine' in error && error.routine === 'RevalidateCachedQuery';
}

/** Turns failures of the connection into DatabaseUnavailableError and leaves all others as they are. */
export function toDatabaseError(error: unknown): unknown {
  if (!isUnavailable(error) || error instanceof DatabaseUnavailableError) return error;
  return new DatabaseUnavailableError(describe(error), { cause: error });
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}
