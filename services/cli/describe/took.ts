import { formatDuration } from '../terminal/format.ts';

/** Start and end of a run, attempt or sweep. */
interface Span {
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

/** Returns the milliseconds that a run, attempt or sweep took; null before its end. */
export function tookOf({ startTime, endTime }: Span): number | null {
  return startTime === null || endTime === null ? null : endTime.getTime() - startTime.getTime();
}

/** Formats the duration of a run, attempt or sweep; `none` before its end. */
export function formatTook(span: Span, none = ''): string {
  const took = tookOf(span);
  return took === null ? none : formatDuration(took);
}
