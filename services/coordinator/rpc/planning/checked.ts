import { InvalidRequestError } from '../../../core/errors.ts';
import type { FieldViolation } from '../../../core/sweep/sweep-spec.ts';

/** A result, or mistakes in the request: errors lose their class between threads. */
export type Checked<T> =
  { readonly value: T } | { readonly violations: readonly FieldViolation[]; readonly count: number };

export function checked<T>(work: () => T): Checked<T> {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    return { violations: error.violations, count: error.count };
  }
}

/** @throws InvalidRequestError */
export function valueOf<T>(result: Checked<T>): T {
  if ('value' in result) return result.value;
  throw new InvalidRequestError(result.violations, result.count);
}
