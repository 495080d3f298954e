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

/** Delays of successive retries in milliseconds; the last one repeats. */
const DELAYS_MS: readonly number[] = [200, 500, 1_000, 2_000, 5_000];
/** Failures with INTERNAL after which a call is given up: a fault inside the coordinator may be transient. */
const MAX_INTERNAL_FAILURES = 6;

/** The meaning of a call's failure for its caller. */
export type Failure =
  /** No answer, or a temporary refusal: retry the same call. */
  | 'RETRY'
  /** The trainer must register first. */
  | 'REGISTER'
  /** The lease has ended: write nothing more. */
  | 'LOST'
  /** The coordinator will never accept this. */
  | 'REFUSED';

/** Classifies failures. Every failure of the connection means `RETRY`, because a trainer outlives its coordinators. */
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
  if (error instanceof GraftError) return 'RETRY';
  if (error instanceof RpcError) {
    const isFinal = ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED', 'UNIMPLEMENTED', 'OUT_OF_RANGE'].includes(error.code);
    return isFinal ? 'REFUSED' : 'RETRY';
  }
  return 'REFUSED';
}

export interface Patience {
  /** Ends retries. */
  readonly signal: AbortSignal;
  /** Registers the trainer; called when the coordinator does not know it. */
  readonly register: () => Promise<void>;
  readonly onRetry?: (error: unknown, delayMs: number) => void;
}

/**
 * Retries an idempotent call until it is answered.
 *
 * @throws an error that means `LOST` or `REFUSED`, the sixth {InternalError}, or the signal's reason.
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

/** Returns a back-off delay with jitter, so that the trainers of a cluster don't all retry at the same moment. */
export function retryDelayMs(attempt: number): number {
  const bound = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)] ?? 0;
  return Math.round(bound * (0.75 + 0.5 * Math.random()));
}
