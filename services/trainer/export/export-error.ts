/** Thrown when a model can't be written. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
  readonly path: string;
  readonly problem: string;

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`${path} was not written: ${problem}.`, options);
    this.path = path;
    this.problem = problem;
  }
}
