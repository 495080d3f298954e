import type { Metadata } from '@grpc/grpc-js';

/** What a handler knows about its call besides the request. */
export interface CallContext {
  /** For example `/graft.v1.TrainerService/LeaseTask`. */
  readonly path: string;
  /** Aborts when the client has gone or cancelled, its deadline is over, or the server is forced to end. */
  readonly signal: AbortSignal;
  /** Aborts `signal` with this reason; the caller chooses what the client receives. */
  readonly abort: (reason: Error) => void;
  /** Aborts when the server begins to drain: long polls and watches should answer or end now. */
  readonly draining: AbortSignal;
  /** Request headers. */
  readonly metadata: Metadata;
  /** Address of the client. */
  readonly peer: string;
}

/** Runs around every call; `next` resolves when the call is answered and throws what the handler threw. */
export type Interceptor = (context: CallContext, next: () => Promise<void>) => Promise<void>;
