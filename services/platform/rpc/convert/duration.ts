import type { Duration } from '../../../../proto/gen/google/protobuf/duration.ts';

/** Converts milliseconds, fractions included. */
export function durationToProto(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

/** Returns milliseconds; `fallbackMs` if the duration was not sent. */
export function durationFromProto(duration: Duration | undefined, fallbackMs: number): number {
  return duration === undefined ? fallbackMs : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
