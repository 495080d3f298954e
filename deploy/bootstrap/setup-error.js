/** A step of the set-up that cannot go on: what is wrong, and what the person at the machine can do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message what was found, with the values received
   * @param {string} remedy one or more lines that say how to mend it
   * @param {{ cause?: unknown, output?: string }} [details] the underlying error, and the end of a failed tool's output
   */
  constructor(message, remedy, details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SetupError';
    this.remedy = remedy;
    this.output = details.output ?? '';
  }
}
