import { setTimeout as sleep } from 'node:timers/promises';
import {
  ArtifactMissingError,
  GraftError,
  IllegalStateError,
  InternalError,
  InvalidRequestError,
  LeaseLostError,
  MetricConflictError,
  NotFoundError,
  TrainerUnknownError,
} from '../../core/errors.ts';
import { LeaseNotHeldError, TrainerIdTakenError } from '../../core/trainer-errors.ts';
import { RpcError } from '../../platform/rpc/errors.ts';

/** Milliseconds; the last one again and again. */
const DELAYS_MS: readonly number[] = [200, 500, 1_000, 2_000, 5_000];
/** A fault inside the coordinator may pass; after so many it will not. */
const MAX_INTERNAL_FAILURES = 6;

/** What a call's failure means to the one who made it. */
export type Failure =
  /** No answer, or "not now": make the same call again. */
  | 'AGAIN'
  /** The trainer has to register first. */
  | 'REGISTER'
  /** The lease is over: write nothing more. */
  | 'LOST'
  /** The coordinator will never accept this. */
  | 'REFUSED';

/** Sorts failures; everything about the connection means `AGAIN`, because a trainer outlives its coordinators. */
export function classifyFailure(error: unknown): Failure {
  if (error instanceof LeaseLostError || error instanceof LeaseNotHeldError || error instanceof IllegalStateError) {
    return 'LOST';
  }
  if (error instanceof TrainerUnknownError) return 'REGISTER';
  if (
    error instanceof InvalidRequestError ||
    error instanceof NotFoundError ||
    error instanceof ArtifactMissingError ||
    error instanceof MetricConflictError ||
    error instanceof TrainerIdTakenError
  ) {
    return 'REFUSED';
  }
  if (error instanceof GraftError) return 'AGAIN';
  if (error instanceof RpcError) {
    const isFinal = ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED', 'UNIMPLEMENTED', 'OUT_OF_RANGE'].includes(error.code);
    return isFinal ? 'REFUSED' : 'AGAIN';
  }
  return 'REFUSED';
}

export interface Patience {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Called when the coordinator does not know the trainer; resolves when it is registered. */
  readonly register: () => Promise<void>;
  readonly onRetry?: (error: unknown, delayMs: number) => void;
}

/**
 * Makes an idempotent call until it is answered.
 *
 * @throws the error whose meaning is `LOST` or `REFUSED`, or the signal's reason.
 */
export async function untilAnswered<T>(patience: Patience, call: () => Promise<T>): Promise<T> {
  const { signal } = patience;
  let internalFailures = 0;
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      const failure = classifyFailure(error);
      if (error instanceof InternalError) internalFailures += 1;
      if (failure === 'LOST' || failure === 'REFUSED' || internalFailures >= MAX_INTERNAL_FAILURES) throw error;
      const delayMs = retryDelayMs(attempt);
      patience.onRetry?.(error, delayMs);
      if (failure === 'REGISTER') await patience.register();
      await sleep(delayMs, undefined, { signal });
    }
  }
}

/** Back-off with jitter, so that the trainers of a cluster do not all come back in the same moment. */
export function retryDelayMs(attempt: number): number {
  const bound = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)] ?? 0;
  return Math.round(bound * (0.75 + 0.5 * Math.random()));
}
