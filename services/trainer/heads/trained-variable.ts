/** A float32 tensor that training changes: a weight, or an optimizer's slot of one. */
export interface TrainedVariable {
  readonly name: string;
  readonly shape: readonly number[];
  /**
   * A copy of the values, row-major.
   *
   * @param into where to put it, of the right length; absent: a new array
   */
  values(into?: Float32Array): Float32Array;
  /** @throws {RangeError} when the values do not fill the shape */
  assign(values: Float32Array): void;
}

/** Values that the shape holds. */
export function elementCount({ shape }: Pick<TrainedVariable, 'shape'>): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** @throws {RangeError} when the values do not fill the variable's shape */
export function checkLength(variable: Pick<TrainedVariable, 'name' | 'shape'>, values: Float32Array): void {
  if (values.length === elementCount(variable)) return;
  throw new RangeError(`${variable.name} of shape [${variable.shape.join(', ')}] can't take ${values.length} values.`);
}
