import { show } from '../../core/text/show.ts';
import type { ShapeReader } from './shape-reader.ts';

const SECONDS = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;
const DURATION = /^(?:(\d+(?:\.\d+)?)d)?\s*(?:(\d+(?:\.\d+)?)h)?\s*(?:(\d+(?:\.\d+)?)m)?\s*(?:(\d+(?:\.\d+)?)s)?$/;

/** Pattern of durations for the JSON Schema. */
export const DURATION_PATTERN = DURATION.source;

/** Reads a duration in seconds: a number, or a string such as `90m`, `2h` or `1h 30m`. */
export function readDuration(value: unknown, path: string, reader: ShapeReader): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const parts = typeof value === 'string' && value.trim() !== '' ? DURATION.exec(value.trim()) : null;
  if (parts === null) {
    return reader.fail(path, `must be a number of seconds, or a duration such as 90m or 2h; received ${show(value)}.`);
  }
  return Object.values(SECONDS).reduce((sum, seconds, index) => sum + seconds * Number(parts[index + 1] ?? 0), 0);
}
