import { InvalidRequestError } from '../../../core/errors.ts';
import { ViolationList } from '../../../core/validation/violations.ts';

/** Collects violations, so that one error reports all of them. */
export class Violations extends ViolationList {
  /** @throws InvalidRequestError if there are any. */
  throwIfAny(): void {
    if (this.violations.length > 0) throw new InvalidRequestError(this.violations);
  }
}

/**
 * Returns the value itself.
 *
 * @throws InvalidRequestError naming the field if it is absent.
 */
export function requireMessage<T>(value: T | null | undefined, field: string): T {
  if (value === undefined || value === null)
    throw new InvalidRequestError([{ field, description: 'is needed, but was not sent.' }]);
  return value;
}

/**
 * Converts an int64 to a number.
 *
 * @throws InvalidRequestError beyond ±(2^53 − 1), where numbers are no longer exact.
 */
export function numberOf(value: bigint, field: string): number {
  const violations = new Violations();
  const number = numberOr(value, field, violations);
  violations.throwIfAny();
  return number;
}

/** Converts an int64 to a number; records a violation and returns 0 where `numberOf` throws. */
export function numberOr(value: bigint, field: string, violations: Violations): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  violations.add(field, `must lie within ±(2^53 − 1) so that it is exact; received ${value}.`);
  return 0;
}

/** Converts an optional int64; null if it was not sent. */
export function numberOrNull(value: bigint | null | undefined, field: string): number | null {
  return value === undefined || value === null ? null : numberOf(value, field);
}

/** Rounds a size to an int64; absent if null. */
export function bytesToProto(bytes: number): bigint;
export function bytesToProto(bytes: number | null): bigint | undefined;
export function bytesToProto(bytes: number | null): bigint | undefined {
  return bytes === null ? undefined : BigInt(Math.round(bytes));
}

/** Returns null for an empty string: absent strings are empty in the protos and null in the domain. */
export function textOrNull(value: string): string | null {
  return value === '' ? null : value;
}

type NullsAbsent<T> = { [K in keyof T]: null extends T[K] ? Exclude<T[K], null> | undefined : T[K] };

/** Copies a record for the wire: null fields become absent ones. */
export function absentNulls<T extends object>(record: T): NullsAbsent<T> {
  return replaceValues(record, null, undefined) as NullsAbsent<T>;
}

type AbsentNull<T> = { [K in keyof T]-?: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K] };

/** Copies a message for the domain, the inverse of `absentNulls`. Fields keep the order of the proto. */
export function nullAbsent<T extends object>(message: T): AbsentNull<T> {
  return replaceValues(message, undefined, null) as AbsentNull<T>;
}

function replaceValues(source: object, from: unknown, to: unknown): object {
  const copy: Record<string, unknown> = { ...source };
  for (const name in copy) if (copy[name] === from) copy[name] = to;
  return copy;
}
