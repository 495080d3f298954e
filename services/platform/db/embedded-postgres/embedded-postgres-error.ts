/** Thrown when the embedded PostgreSQL server cannot be started; the message names the cause and the remedy. */
export class EmbeddedPostgresError extends Error {
  readonly remedy: string;
  /** The end of the server's output; empty if it printed nothing. */
  readonly output: string;

  constructor(message: string, remedy: string, output = '') {
    super(`${message} ${remedy}${output === '' ? '' : `\n${output}`}`);
    this.name = 'EmbeddedPostgresError';
    this.remedy = remedy;
    this.output = output;
  }
}

/** Remedy that applies to every problem with the embedded server. */
export const useAnotherServer = 'Or set DATABASE_URL to any PostgreSQL 15 or later.';
