import { durationSeconds } from '../../core/text/duration.ts';
import { show } from '../../core/text/show.ts';
import type { ShapeReader } from './shape-reader.ts';

/** Reads a duration in seconds: a number, or a string such as `90m`, `2h` or `1h 30m`. */
export function readDuration(value: unknown, path: string, reader: ShapeReader): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const seconds = typeof value === 'string' ? durationSeconds(value) : null;
  if (seconds !== null) return seconds;
  return reader.fail(path, `must be a number of seconds, or a duration such as 90m or 2h; received ${show(value)}.`);
}
