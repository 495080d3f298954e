import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Values recorded by a Python script: some of them here, all of them in a file. */
export interface RecordedValues {
  /** Stride of the values in `samples`. */
  readonly step: number;
  readonly samples: readonly number[];
  readonly file: string;
}

export interface RecordedTensor extends RecordedValues {
  readonly name: string;
  readonly shape: readonly number[];
  /** Root mean square of all values. */
  readonly rms: number;
}

/**
 * Returns the largest difference relative to the expected value, or to the tensor's root mean square if the value is
 * smaller: a value that is zero by cancellation has no meaningful relative error.
 *
 * @param folder folder of the files; null: only the samples are compared.
 */
export function largestRelativeError(actual: Float32Array, expected: RecordedTensor, folder: string | null): number {
  return largest(
    actual,
    expected,
    folder,
    (got, wanted) => Math.abs(got - wanted) / Math.max(Math.abs(wanted), expected.rms),
  );
}

/** Returns the largest absolute difference. */
export function largestDifference(actual: Float32Array, expected: RecordedValues, folder: string | null): number {
  return largest(actual, expected, folder, (got, wanted) => Math.abs(got - wanted));
}

function largest(
  actual: Float32Array,
  expected: RecordedValues,
  folder: string | null,
  errorOf: (got: number, wanted: number) => number,
): number {
  const values = folder === null ? null : readFloats(join(folder, expected.file));
  if (values !== null && values.length !== actual.length) return Infinity;
  const count = values?.length ?? expected.samples.length;
  let result = 0;
  for (let index = 0; index < count; index++) {
    const wanted = values?.[index] ?? expected.samples[index] ?? NaN;
    const got = actual[values === null ? index * expected.step : index] ?? NaN;
    const error = errorOf(got, wanted);
    // Written so that NaN counts as an error.
    if (!(error <= result)) result = error;
  }
  return result;
}

export function readFloats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
