import type { Duration } from '../../../../proto/gen/google/protobuf/duration.ts';

/** @param ms whole or broken milliseconds. */
export function durationToProto(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

/** Milliseconds; `fallbackMs` where it was not sent. */
export function durationFromProto(duration: Duration | undefined, fallbackMs: number): number {
  return duration === undefined ? fallbackMs : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
