/**
 * Thrown when the database is reachable, but its setup or its address is unusable. The message names what was found and
 * how to fix it; waiting does not help.
 */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}
