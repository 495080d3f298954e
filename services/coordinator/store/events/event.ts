import type { RunState } from '../../../core/states/run-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import type { Stage } from '../../../core/task.ts';
import type { TestResultRecord } from '../records.ts';

/** States of a task that watchers are told of. */
export type TaskEventState = 'LEASED' | 'SUCCEEDED' | 'RELEASED' | 'FAILED' | 'EXPIRED' | 'CANCELLED';

/** What happened in a sweep; the row's `kind` and `payload`. */
export type SweepEvent =
  | { readonly kind: 'SWEEP_STATE'; readonly state: SweepState; readonly reason: string }
  | {
      readonly kind: 'RUN_STATE';
      readonly runId: string;
      readonly state: RunState;
      readonly stage: Stage;
      readonly reason: string;
    }
  | {
      readonly kind: 'EPOCH';
      readonly runId: string;
      readonly stage: Stage;
      readonly epoch: number;
      readonly names: readonly string[];
      readonly values: readonly number[];
    }
  | {
      readonly kind: 'TASK';
      readonly taskId: string;
      readonly stage: Stage;
      readonly state: TaskEventState;
      readonly trainerId: string;
      readonly message: string;
    }
  | { readonly kind: 'TEST_RESULT'; readonly result: TestResultRecord };

/** An event as it was stored. */
export interface StoredEvent {
  /** Grows with the order in which a sweep's events became visible. */
  readonly cursor: bigint;
  /** By the database's clock. */
  readonly eventTime: Date;
  readonly event: SweepEvent;
}

/** JSON has no NaN and no infinities; metrics must keep them. */
export function encodePayload(event: SweepEvent): string {
  // `kind` has a column of its own.
  const payload = { ...event, kind: undefined };
  // Nearly all events are of this kind, and without a function for each value they take a third of the time.
  if (event.kind === 'EPOCH' && event.values.every(Number.isFinite)) return JSON.stringify(payload);
  return JSON.stringify(payload, (_name, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { $number: String(value) } : value,
  );
}

/** Inverse of `encodePayload`; `payload` is parsed JSON. */
export function decodePayload(kind: string, payload: unknown): SweepEvent {
  return { kind, ...(revive(payload) as object) } as SweepEvent;
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  if ('$number' in value) return Number(value.$number);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revive(item)]));
}
