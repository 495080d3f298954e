import { InvalidRequestError } from '../../../core/errors.ts';
import { ViolationList } from '../../../core/validation/violations.ts';

/** Collects mistakes, so that all of them are answered at once. */
export class Violations extends ViolationList {
  /** @throws InvalidRequestError where there are any. */
  throwIfAny(): void {
    if (this.violations.length > 0) throw new InvalidRequestError(this.violations);
  }
}

/**
 * The message itself.
 *
 * @throws InvalidRequestError that names the field where it is absent.
 */
export function requireMessage<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw new InvalidRequestError([{ field, description: 'is needed, but was not sent.' }]);
  return value;
}

/**
 * An int64 as a JavaScript number.
 *
 * @throws InvalidRequestError beyond ±(2^53 − 1), where numbers are no longer exact.
 */
export function numberOf(value: bigint, field: string): number {
  const violations = new Violations();
  const number = numberOr(value, field, violations);
  violations.throwIfAny();
  return number;
}

/** As `numberOf`, but notes the mistake and goes on with 0. */
export function numberOr(value: bigint, field: string, violations: Violations): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  violations.add(field, `must lie within ±(2^53 − 1) so that it is exact; received ${value}.`);
  return 0;
}

/** Absent strings are empty in the protos and null in the domain. */
export function textOrNull(value: string): string | null {
  return value === '' ? null : value;
}
