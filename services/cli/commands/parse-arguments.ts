import { InvalidArgumentError } from 'commander';
import { durationSeconds } from '../../core/text/duration.ts';

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

/**
 * Reads a bound on seconds; null: `none`.
 *
 * @throws InvalidArgumentError unless `value` is a number of seconds above 0, a duration such as `2h`, or `none`.
 */
export function boundedSeconds(value: string): number | null {
  if (value === 'none') return null;
  const seconds = value.trim() === '' ? NaN : Number(value);
  const read = Number.isFinite(seconds) ? seconds : (durationSeconds(value) ?? 0);
  if (read > 0) return read;
  throw new InvalidArgumentError('must be a number of seconds above 0, a duration such as 90m or 2h, or none.');
}

/** Reads a number of rounds; null: `none`. @throws InvalidArgumentError unless `value` is an integer of at least 1 or `none`. */
export function boundedRounds(value: string): number | null {
  if (value === 'none') return null;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError('must be an integer of at least 1, or none.');
}

/** Reads a target; null: `none`. @throws InvalidArgumentError unless `value` is a number or `none`. */
export function targetValue(value: string): number | null {
  if (value === 'none') return null;
  const number = value.trim() === '' ? NaN : Number(value);
  if (Number.isFinite(number)) return number;
  throw new InvalidArgumentError('must be a value of the objective, or none.');
}

/** @throws InvalidArgumentError unless `value` is at least 0.5 and below 1 */
export function confidence(value: string): number {
  const number = Number(value);
  if (number >= 0.5 && number < 1) return number;
  throw new InvalidArgumentError('must be at least 0.5 and below 1, for example 0.9.');
}

/** @throws InvalidArgumentError unless `value` is a number above 0 */
export function positiveNumber(value: string): number {
  const number = value.trim() === '' ? NaN : Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError('must be a number above 0.');
}
