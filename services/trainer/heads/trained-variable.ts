/** A float32 tensor that training changes: a weight or one of its optimizer slots. */
export interface TrainedVariable {
  readonly name: string;
  readonly shape: readonly number[];
  /**
   * Returns a copy of the values, row-major.
   *
   * @param into array of the right length to fill; a new one by default.
   */
  values(into?: Float32Array): Float32Array;
  /**
   * Replaces the values.
   *
   * @throws {RangeError} when the values do not match the shape.
   */
  assign(values: Float32Array): void;
}

/** Returns the number of values in the shape. */
export function elementCount({ shape }: Pick<TrainedVariable, 'shape'>): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Checks the number of values.
 *
 * @throws {RangeError} when the values do not match the variable's shape.
 */
export function checkLength(variable: Pick<TrainedVariable, 'name' | 'shape'>, values: Float32Array): void {
  if (values.length === elementCount(variable)) return;
  throw new RangeError(`${variable.name} of shape [${variable.shape.join(', ')}] can't take ${values.length} values.`);
}
