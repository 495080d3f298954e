import { decideMachineFault, isMachineFault } from './machine-fault.ts';
import type { ErrorClass } from './task.ts';

/** Counters of failures; each includes the failure that is being decided. */
export interface RetryCounters {
  /** COUNTED failures of the task. */
  readonly countedFailures: number;
  /** Consecutive INFRASTRUCTURE failures without a new checkpoint or completed run between them. */
  readonly infrastructureInARow: number;
  /** MEMORY failures of the task. */
  readonly memoryFailures: number;
}

export interface RetryInput extends RetryCounters {
  readonly errorClass: ErrorClass;
  /** Code of the error, for example `DATASET_INVALID`. Among permanent errors it separates INFEASIBLE from FAILED. */
  readonly code: string;
  readonly message: string;
  /** Random number in [0, 1) that the caller draws. */
  readonly jitter: number;
  /** True where another slot may take the task after a machine fault; default false. */
  readonly hasOtherSlot?: boolean;
  /** Number of machine faults for which no other slot could take the task, including this one. */
  readonly machineRounds?: number;
}

export type RetryDecision =
  | {
      readonly action: 'REQUEUE';
      readonly delayMs: number;
      /** Number of micro-batches that each batch is processed in, with accumulated gradients; 1: as a whole. */
      readonly microBatchDivisor: number;
      readonly reason: string;
      /** A retry helps only after a person has fixed the cause: the sweep pauses with the reason. */
      readonly pausesSweep?: true;
    }
  | { readonly action: 'FAILED' | 'INFEASIBLE'; readonly code: string; readonly reason: string };

/** Milliseconds before attempts 2, 3 and 4; later attempts wait as long as the last. */
const BACKOFF_MS: readonly number[] = [1_000, 4_000, 16_000];
export const MAX_COUNTED_FAILURES = 3;
const MAX_INFRASTRUCTURE_IN_A_ROW = 10;
const MAX_MEMORY_HALVINGS = 3;

/** Codes of permanent errors that mean "this variant can't exist" rather than "something is broken". */
const INFEASIBLE_CODES: ReadonlySet<string> = new Set(['INVALID_PARAMETERS', 'UNSUPPORTED_MODEL']);

/** Codes of errors about the artifact store, which all trainers write to. */
const STORE_CODES: ReadonlySet<string> = new Set(['DISK_FULL', 'STORE_UNWRITABLE']);

/** Returns whether the error is about the artifact store, which all trainers write to. */
export function isStoreTrouble({ code }: { readonly code: string }): boolean {
  return STORE_CODES.has(code);
}

/**
 * Decides what follows an attempt that did not succeed. The rules are the same for a whole attempt and for one member of a group.
 */
export function decideRetry(input: RetryInput): RetryDecision {
  if (isMachineFault(input)) return afterMachineFault(input);
  switch (input.errorClass) {
    case 'INFRASTRUCTURE':
      return afterInfrastructure(input);
    case 'MEMORY':
      return afterMemory(input);
    case 'PERMANENT':
      return {
        action: INFEASIBLE_CODES.has(input.code) ? 'INFEASIBLE' : 'FAILED',
        code: input.code,
        reason: input.message,
      };
    case 'NUMERIC':
      return { action: 'FAILED', code: 'NUMERIC', reason: input.message };
    case 'COUNTED':
      return afterCounted(input);
  }
}

/** Decides after a machine's fault, which never counts. */
function afterMachineFault(input: RetryInput): RetryDecision {
  const { code, message, errorClass, hasOtherSlot = false, machineRounds = Infinity, jitter } = input;
  const isPermanent = errorClass === 'PERMANENT';
  const { action, reason } = decideMachineFault({
    code,
    message,
    isPermanent,
    hasOther: hasOtherSlot,
    round: machineRounds,
  });
  if (action === 'FAIL') return { action: 'FAILED', code, reason };
  const delayMs = action === 'AGAIN' ? backoffMs(machineRounds, jitter) : 0;
  const again = { action: 'REQUEUE', delayMs, microBatchDivisor: divisorOf(input), reason } as const;
  return action === 'PAUSE' ? { ...again, pausesSweep: true } : again;
}

function afterInfrastructure(input: RetryInput): RetryDecision {
  const times = input.infrastructureInARow;
  if (times >= MAX_INFRASTRUCTURE_IN_A_ROW) {
    return {
      action: 'FAILED',
      code: 'CRASH_LOOP',
      reason: `${times} attempts in a row ended without a new checkpoint; the last one: ${input.message}`,
    };
  }
  // The first loss is most often a drained or pre-empted trainer: another slot can continue at once.
  const delayMs = times <= 1 ? 0 : backoffMs(times - 1, input.jitter);
  return { action: 'REQUEUE', delayMs, microBatchDivisor: divisorOf(input), reason: `not counted: ${input.message}` };
}

function afterMemory(input: RetryInput): RetryDecision {
  if (input.memoryFailures > MAX_MEMORY_HALVINGS) {
    return {
      action: 'INFEASIBLE',
      code: 'OUT_OF_MEMORY',
      reason: `out of memory even with the batch in ${2 ** MAX_MEMORY_HALVINGS} parts: ${input.message}`,
    };
  }
  const microBatchDivisor = divisorOf(input);
  return {
    action: 'REQUEUE',
    delayMs: 0,
    microBatchDivisor,
    reason: `out of memory; next attempt with the batch in ${microBatchDivisor} parts: ${input.message}`,
  };
}

function afterCounted(input: RetryInput): RetryDecision {
  const failures = input.countedFailures;
  if (failures >= MAX_COUNTED_FAILURES) {
    return { action: 'FAILED', code: input.code, reason: `failed ${failures} times; the last one: ${input.message}` };
  }
  return {
    action: 'REQUEUE',
    delayMs: backoffMs(failures, input.jitter),
    microBatchDivisor: divisorOf(input),
    reason: `failure ${failures} of ${MAX_COUNTED_FAILURES}: ${input.message}`,
  };
}

function divisorOf(counters: RetryCounters): number {
  return microBatchDivisorAfter(counters.memoryFailures);
}

/** Returns the number of micro-batches per batch after attempts that ran out of memory: 1, 2, 4, 8. */
export function microBatchDivisorAfter(memoryFailures: number): number {
  return 2 ** Math.min(memoryFailures, MAX_MEMORY_HALVINGS);
}

/** Returns the back-off with up to 25 % added, so that tasks that failed together don't come back together. */
function backoffMs(failures: number, jitter: number): number {
  const base = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1] ?? 0;
  return Math.round(base * (1 + 0.25 * jitter));
}

/** Number of consecutive failed runs at which a sweep pauses and waits for a person. */
export const MAX_FAILED_RUNS_IN_A_ROW = 3;

/**
 * Returns whether a sweep must pause after these runs have ended.
 *
 * @param outcomes states of ended runs of the sweep, latest last; without CANCELLED and STOPPED ones, which say nothing.
 */
export function mustPauseSweep(outcomes: readonly ('SUCCEEDED' | 'FAILED' | 'INFEASIBLE')[]): boolean {
  const latest = outcomes.slice(-MAX_FAILED_RUNS_IN_A_ROW);
  return latest.length === MAX_FAILED_RUNS_IN_A_ROW && latest.every((outcome) => outcome !== 'SUCCEEDED');
}
