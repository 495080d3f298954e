import { decideMachineFault, isMachineFault } from './machine-fault.ts';
import type { ErrorClass } from './task.ts';

/** How often things went wrong before; each counter includes the failure that is being decided. */
export interface RetryCounters {
  /** COUNTED failures of the task. */
  readonly countedFailures: number;
  /** INFRASTRUCTURE ends in a row without a new checkpoint or completed run between them. */
  readonly infrastructureInARow: number;
  /** MEMORY failures of the task. */
  readonly memoryFailures: number;
}

export interface RetryInput extends RetryCounters {
  readonly errorClass: ErrorClass;
  /** For example `DATASET_INVALID`; tells INFEASIBLE from FAILED among permanent errors. */
  readonly code: string;
  readonly message: string;
  /** Uniform in [0, 1); the caller draws it. */
  readonly jitter: number;
  /** Of an error about the machine: whether another slot may take the task; no if not given. */
  readonly hasOtherSlot?: boolean;
  /** Of an error about the machine: times that no other slot could, this one included. */
  readonly machineRounds?: number;
}

export type RetryDecision =
  | {
      readonly action: 'REQUEUE';
      readonly delayMs: number;
      /** The batch is worked off in so many parts with accumulated gradients; 1: as a whole. */
      readonly microBatchDivisor: number;
      readonly reason: string;
      /** Trying again helps only when a person has mended something: the sweep pauses with the reason. */
      readonly pausesSweep?: true;
    }
  | { readonly action: 'FAILED' | 'INFEASIBLE'; readonly code: string; readonly reason: string };

/** Milliseconds before try 2, 3 and 4; later tries wait as long as the last. */
const BACKOFF_MS: readonly number[] = [1_000, 4_000, 16_000];
export const MAX_COUNTED_FAILURES = 3;
const MAX_INFRASTRUCTURE_IN_A_ROW = 10;
const MAX_MEMORY_HALVINGS = 3;

/** Permanent errors that say "this variant can't exist" rather than "something is broken". */
const INFEASIBLE_CODES: ReadonlySet<string> = new Set(['INVALID_PARAMETERS', 'UNSUPPORTED_MODEL']);

/** Errors about the place where all trainers write. */
const STORE_CODES: ReadonlySet<string> = new Set(['DISK_FULL', 'STORE_UNWRITABLE']);

/** Whether the error is about the place where all trainers write. */
export function isStoreTrouble({ code }: { readonly code: string }): boolean {
  return STORE_CODES.has(code);
}

/**
 * What follows an attempt that did not succeed (semantics: "Attempts and retries"). The same table serves an attempt as a
 * whole and one member of a fused group.
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

/** Not counted, whatever follows. */
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
  // The first loss is most often a drained or pre-empted trainer: another slot can go on at once.
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
    reason: `out of memory; next try with the batch in ${microBatchDivisor} parts: ${input.message}`,
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

/** In how many parts an attempt works off a batch after so many attempts that ran out of memory: 1, 2, 4, 8. */
export function microBatchDivisorAfter(memoryFailures: number): number {
  return 2 ** Math.min(memoryFailures, MAX_MEMORY_HALVINGS);
}

/** Up to a quarter more, so that tasks that failed together don't come back together. */
function backoffMs(failures: number, jitter: number): number {
  const base = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1] ?? 0;
  return Math.round(base * (1 + 0.25 * jitter));
}

/** Runs that failed in a row without a success; a sweep pauses at this number and waits for a person. */
export const MAX_FAILED_RUNS_IN_A_ROW = 3;

/**
 * Whether a sweep must pause after these run ends.
 *
 * @param outcomes ends of runs of the sweep, newest last; CANCELLED and STOPPED ones say nothing and are left out.
 */
export function mustPauseSweep(outcomes: readonly ('SUCCEEDED' | 'FAILED' | 'INFEASIBLE')[]): boolean {
  const latest = outcomes.slice(-MAX_FAILED_RUNS_IN_A_ROW);
  return latest.length === MAX_FAILED_RUNS_IN_A_ROW && latest.every((outcome) => outcome !== 'SUCCEEDED');
}
