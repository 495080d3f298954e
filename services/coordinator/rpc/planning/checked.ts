import { InvalidRequestError } from '../../../core/errors.ts';
import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';

/** A result, or the mistakes in the request. Errors can't be used instead, because they lose their class between threads. */
export type Checked<T> =
  { readonly value: T } | { readonly violations: readonly FieldViolation[]; readonly count: number };

/** Runs `work` and returns its result or the mistakes that it found. */
export function checked<T>(work: () => T): Checked<T> {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    return { violations: error.violations, count: error.count };
  }
}

/** Returns the result. @throws InvalidRequestError when there are mistakes instead. */
export function valueOf<T>(result: Checked<T>): T {
  if ('value' in result) return result.value;
  throw new InvalidRequestError(result.violations, result.count);
}
