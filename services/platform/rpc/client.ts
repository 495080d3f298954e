import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Metadata, credentials as grpcCredentials } from '@grpc/grpc-js';
import type {
  CallOptions as GrpcCallOptions,
  ClientDuplexStream,
  ClientReadableStream,
  ServiceError,
} from '@grpc/grpc-js';
import { RateLimitedError } from '../../core/errors.ts';
import { NoAnswerError, fromServiceError, isDeadlineExceeded, isUnavailable } from './errors.ts';
import type { ClientSecurity } from './security/client-security.ts';
import { MAX_MESSAGE_BYTES } from './server.ts';
import type { MethodShape, RequestOf, ResponseOf, ServiceShape } from './service-shape.ts';
import { streamItems } from './stream-items.ts';
import { startCallSpan, traceHeaders } from './trace-calls.ts';

/** Retry policy of unary calls. All calls of Graft are idempotent. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

const DEFAULT_RETRY: RetryPolicy = { maxAttempts: 5, firstDelayMs: 100, maxDelayMs: 2_000 };
export const NO_RETRY: RetryPolicy = { maxAttempts: 1, firstDelayMs: 0, maxDelayMs: 0 };

export interface ClientCallOptions {
  /**
   * Deadline of the call including its retries. Default: 10 s for unary calls, 24 h for streams. With several addresses an
   * attempt gets half of the time left, so that a hanging coordinator leaves time for another one.
   */
  readonly deadlineMs?: number;
  /** Cancels the call. With a `NoAnswerError` as reason the coordinator counts as hung, and the next call uses another address. */
  readonly signal?: AbortSignal;
  /** Unary calls only. UNAVAILABLE and rate limits are retried; DEADLINE_EXCEEDED only with several addresses. */
  readonly retry?: RetryPolicy;
  /** Request headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

export type UnaryCall<Q, S> = (request: Q, options?: ClientCallOptions) => Promise<S>;
export type ServerStreamCall<Q, S> = (request: Q, options?: ClientCallOptions) => AsyncIterable<S>;
export type BidiCall<Q, S> = (requests: AsyncIterable<Q>, options?: ClientCallOptions) => AsyncIterable<S>;

/** One function per method, by its shape. They throw the typed errors of `core/errors.ts`, or `RpcError`. */
export type Calls<D extends ServiceShape> = {
  readonly [K in keyof D]: D[K]['requestStream'] extends true
    ? BidiCall<RequestOf<D[K]>, ResponseOf<D[K]>>
    : D[K]['responseStream'] extends true
      ? ServerStreamCall<RequestOf<D[K]>, ResponseOf<D[K]>>
      : UnaryCall<RequestOf<D[K]>, ResponseOf<D[K]>>;
};

export interface RpcClientOptions {
  /** Addresses from `parseAddresses`; UNAVAILABLE and DEADLINE_EXCEEDED rotate to the next one. */
  readonly addresses: readonly string[];
  readonly retry?: RetryPolicy;
  /** Default: neither TLS nor token. */
  readonly security?: ClientSecurity;
  /** Source of the back-off's jitter, in [0, 1). Default: `Math.random`. */
  readonly random?: () => number;
}

/** A client of one service over several coordinators. */
export interface RpcClient<D extends ServiceShape> extends Disposable {
  readonly call: Calls<D>;
  /** Closes all connections; running calls fail with CANCELLED or UNAVAILABLE. */
  close(): void;
}

const UNARY_DEADLINE_MS = 10_000;
const STREAM_DEADLINE_MS = 24 * 3_600_000;

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  // grpc-js sends no keepalive by default; with it a silent network failure is detected within 15 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  // grpc-js' own retries buffer sent stream items and do not know several addresses; this client retries by itself.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  // A restarted coordinator is found within 3 s instead of the default two minutes.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 3_000,
};

/**
 * Splits `host1:port,host2:port`.
 *
 * @throws Error quoting the input if an address has no port.
 */
export function parseAddresses(text: string): readonly string[] {
  const addresses = text
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  const bad = addresses.find((address) => !/^(dns:\/*|unix:)?.+:\d{1,5}$|^unix:/.test(address));
  if (addresses.length === 0 || bad !== undefined) {
    throw new Error(
      `must be host:port or several of them with commas, for example coordinator:50051; received '${text}'`,
    );
  }
  return addresses;
}

/** Creates a client; the first call opens the connection. */
export function createClient<D extends ServiceShape>(definition: D, options: RpcClientOptions): RpcClient<D> {
  const pool = new ClientPool(options);
  const calls: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(definition)) {
    if (method.requestStream) calls[name] = bidiCall(pool, method);
    else if (method.responseStream) calls[name] = serverStreamCall(pool, method);
    else calls[name] = unaryCall(pool, method);
  }
  return {
    call: calls as Calls<D>,
    close: () => pool.close(),
    [Symbol.dispose]: () => pool.close(),
  };
}

/** One connection per address; calls use the current one until it fails. */
class ClientPool {
  readonly options: RpcClientOptions;
  readonly #clients: readonly Client[];
  #current = 0;

  constructor(options: RpcClientOptions) {
    if (options.addresses.length === 0) throw new Error('addresses: at least one host:port is needed, received none.');
    this.options = options;
    const credentials = options.security?.credentials ?? grpcCredentials.createInsecure();
    const channelOptions = { ...CHANNEL_OPTIONS, ...options.security?.channelOptions };
    this.#clients = options.addresses.map((address) => new Client(address, credentials, channelOptions));
  }

  get hasOthers(): boolean {
    return this.#clients.length > 1;
  }

  get current(): Client {
    return this.#clients[this.#current] as Client;
  }

  /** Rotates to the next address, unless another call has rotated since `failed` was taken. */
  leave(failed: Client): void {
    if (this.current === failed) this.#current = (this.#current + 1) % this.#clients.length;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

function unaryCall(pool: ClientPool, method: MethodShape): UnaryCall<unknown, unknown> {
  return async (request, options = {}) => {
    const span = startCallSpan(method.path);
    try {
      return await untilAnswered(pool, method, request, withHeaders(options, traceHeaders(span)));
    } catch (error) {
      span?.fail(error);
      throw error;
    } finally {
      span?.end();
    }
  };
}

async function untilAnswered(
  pool: ClientPool,
  method: MethodShape,
  request: unknown,
  options: ClientCallOptions,
): Promise<unknown> {
  const retry = options.retry ?? pool.options.retry ?? DEFAULT_RETRY;
  const deadline = Date.now() + (options.deadlineMs ?? UNARY_DEADLINE_MS);
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted();
    const client = pool.current;
    const isLast = attempt >= retry.maxAttempts;
    const tryDeadline = pool.hasOthers && !isLast ? Date.now() + (deadline - Date.now()) / 2 : deadline;
    try {
      return await attemptUnary(client, method, request, tryDeadline, withHeaders(options, authorization(pool)));
    } catch (error) {
      const isHung = isDeadlineExceeded(error);
      const isLimited = error instanceof RateLimitedError;
      if (!isHung && !isLimited && !isUnavailable(error)) throw error;
      // Rate limits belong to a token and are the same at every coordinator.
      if (!isLimited) pool.leave(client);
      const backOff = retryDelay(retry, attempt, pool.options.random ?? Math.random);
      // A hang has already taken time, and the next attempt uses another coordinator.
      const delay = isHung ? 0 : isLimited ? error.retryMs + backOff : backOff;
      if (isLast || Date.now() + delay >= deadline) throw error;
      await sleep(delay, undefined, options.signal ? { signal: options.signal } : {});
    }
  }
}

/** Exponential back-off with jitter over its upper half, so that trainers do not reconnect simultaneously. */
function retryDelay(retry: RetryPolicy, attempt: number, random: () => number): number {
  const bound = Math.min(retry.maxDelayMs, retry.firstDelayMs * 2 ** (attempt - 1));
  return bound * (0.5 + 0.5 * random());
}

function attemptUnary(
  client: Client,
  method: MethodShape,
  request: unknown,
  deadline: number,
  options: ClientCallOptions,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      method.path,
      serializer(method),
      method.responseDeserialize,
      request,
      headersOf(options),
      { deadline },
      (error: ServiceError | null, response?: unknown) => {
        options.signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(response);
        else if (options.signal?.aborted === true) reject(options.signal.reason as Error);
        else reject(fromServiceError(error));
      },
    );
    function cancel(): void {
      call.cancel();
    }
    options.signal?.addEventListener('abort', cancel, { once: true });
  });
}

function serverStreamCall(pool: ClientPool, method: MethodShape): ServerStreamCall<unknown, unknown> {
  return (request, options = {}) =>
    receive(pool, method, options, (client, headers, callOptions) =>
      client.makeServerStreamRequest(
        method.path,
        serializer(method),
        method.responseDeserialize,
        request,
        headers,
        callOptions,
      ),
    );
}

function bidiCall(pool: ClientPool, method: MethodShape): BidiCall<unknown, unknown> {
  return (requests, options = {}) =>
    receive(pool, method, options, (client, headers, callOptions) => {
      const call = client.makeBidiStreamRequest(
        method.path,
        serializer(method),
        method.responseDeserialize,
        headers,
        callOptions,
      );
      void send(call, requests);
      return call;
    });
}

async function send(call: ClientDuplexStream<unknown, unknown>, requests: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const request of requests) {
      if (call.destroyed || call.writableEnded) return;
      if (!call.write(request)) await drained(call);
    }
    call.end();
  } catch (error) {
    // Reported to the reader of the answers: `send` has no other observer.
    call.emit('error', error);
    call.cancel();
  }
}

function drained(call: ClientDuplexStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'error', 'status']) call.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error', 'status']) call.once(event, done);
  });
}

async function* receive(
  pool: ClientPool,
  method: MethodShape,
  options: ClientCallOptions,
  open: (client: Client, headers: Metadata, callOptions: GrpcCallOptions) => ClientReadableStream<unknown>,
): AsyncGenerator {
  options.signal?.throwIfAborted();
  const client = pool.current;
  const span = startCallSpan(method.path);
  const headers = headersOf(withHeaders(options, { ...traceHeaders(span), ...authorization(pool) }));
  const call = open(client, headers, { deadline: Date.now() + (options.deadlineMs ?? STREAM_DEADLINE_MS) });
  const cancel = (): void => call.cancel();
  options.signal?.addEventListener('abort', cancel, { once: true });
  try {
    yield* streamItems(call, options.signal);
  } catch (error) {
    const isAborted = options.signal?.aborted === true;
    const cause: unknown = isAborted ? options.signal.reason : error;
    if (cause instanceof NoAnswerError || isUnavailable(cause) || isDeadlineExceeded(cause)) pool.leave(client);
    span?.fail(cause);
    throw isAborted ? cause : fromServiceError(cause);
  } finally {
    options.signal?.removeEventListener('abort', cancel);
    // No effect on a call that has ended; frees one whose reader stopped early.
    call.cancel();
    span?.end();
  }
}

function serializer(method: MethodShape): (value: unknown) => Buffer {
  return method.requestSerialize as (value: unknown) => Buffer;
}

/** Returns the header with the current token, which may have changed since the last attempt. */
function authorization(pool: ClientPool): Readonly<Record<string, string>> {
  const token = pool.options.security?.token() ?? null;
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

function withHeaders(options: ClientCallOptions, headers: Readonly<Record<string, string>>): ClientCallOptions {
  return { ...options, headers: { ...options.headers, ...headers } };
}

function headersOf(options: ClientCallOptions): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.headers ?? {})) metadata.set(name, value);
  return metadata;
}
