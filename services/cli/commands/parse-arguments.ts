import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError unless `value` is an integer of at least 1. */
export function positiveInteger(value: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('must be an integer of at least 1.');
}

/** @throws InvalidArgumentError unless `value` is a number of days between 0 (exclusive) and 36,500. */
export function days(value: string): number {
  const number = Number(value);
  if (number > 0 && number <= 36_500) return number;
  throw new InvalidArgumentError('must be a number of days, above 0.');
}
