import type { Metadata } from '@grpc/grpc-js';

/** A call as its handler sees it, beside the request. */
export interface CallContext {
  /** Method path, for example `/graft.v1.TrainerService/LeaseTask`. */
  readonly path: string;
  /** Aborts when the client disconnects or cancels, its deadline passes, or the server shuts down forcibly. */
  readonly signal: AbortSignal;
  /** Aborts `signal` with this reason; the caller chooses what the client receives. */
  readonly abort: (reason: Error) => void;
  /** Aborts when the server starts to drain: long polls and watches must answer or end. */
  readonly draining: AbortSignal;
  /** Request headers. */
  readonly metadata: Metadata;
  /** Address of the client. */
  readonly peer: string;
}

/** Runs around every call; `next` resolves when the call is answered and throws what the handler threw. */
export type Interceptor = (context: CallContext, next: () => Promise<void>) => Promise<void>;
