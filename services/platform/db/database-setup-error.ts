/**
 * The database is reachable, but it or its address can't be used as it is set up. The message names what was found and how to
 * fix it; waiting does not help.
 */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}
