/** The embedded PostgreSQL cannot be started: what was found and how to mend it. */
export class EmbeddedPostgresError extends Error {
  readonly remedy: string;
  /** The end of the server's own output, empty when it printed nothing. */
  readonly output: string;

  constructor(message: string, remedy: string, output = '') {
    super(`${message} ${remedy}${output === '' ? '' : `\n${output}`}`);
    this.name = 'EmbeddedPostgresError';
    this.remedy = remedy;
    this.output = output;
  }
}

/** The way out of every problem with the embedded server. */
export const useAnotherServer = 'Or set DATABASE_URL to any PostgreSQL 15 or later.';
