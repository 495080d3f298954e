/** A failure of a set-up step, with a remedy for the user. */
export class SetupError extends Error {
  /**
   * @param {string} message the problem, with the values received
   * @param {string} remedy how to fix it, one or more lines
   * @param {{ cause?: unknown, output?: string }} [details] the underlying error, and the end of a failed tool's output
   */
  constructor(message, remedy, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SetupError';
    this.remedy = remedy;
    this.output = details.output ?? '';
  }
}
