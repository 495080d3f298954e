import { setMaxListeners } from 'node:events';
import type { EventEmitter } from 'node:events';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceError,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ShuttingDownError } from '../../core/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CallContext, Interceptor } from './call-context.ts';
import { EncodedMessage } from './encoded-message.ts';
import { toServiceError } from './errors.ts';
import { unreadable } from './limits/request-limits.ts';
import type { RequestLimits } from './limits/request-limits.ts';
import { UnreadAnswers } from './limits/unread-answers.ts';
import type { MethodShape, RequestOf, ResponseOf, ServiceShape } from './service-shape.ts';
import { streamItems } from './stream-items.ts';
import { traceFieldsOf } from './trace-calls.ts';

/** Limit in both directions; pages and chunks keep real messages far below it. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Bounds of answers that clients have not read yet: a few large answers per connection, and total memory. */
const UNREAD = { maxBytesPerConnection: 16 * 1024 * 1024, maxBytes: 64 * 1024 * 1024 };

export type UnaryHandler<Q, S> = (request: Q, context: CallContext) => Promise<S | EncodedMessage>;
export type ServerStreamHandler<Q, S> = (request: Q, context: CallContext) => AsyncIterable<S>;
export type ClientStreamHandler<Q, S> = (requests: AsyncIterable<Q>, context: CallContext) => Promise<S>;
export type BidiHandler<Q, S> = (requests: AsyncIterable<Q>, context: CallContext) => AsyncIterable<S>;

/** An async function or async generator, by the method's shape. */
export type Handler<M extends MethodShape> = M['requestStream'] extends true
  ? M['responseStream'] extends true
    ? BidiHandler<RequestOf<M>, ResponseOf<M>>
    : ClientStreamHandler<RequestOf<M>, ResponseOf<M>>
  : M['responseStream'] extends true
    ? ServerStreamHandler<RequestOf<M>, ResponseOf<M>>
    : UnaryHandler<RequestOf<M>, ResponseOf<M>>;

/** Handlers of all methods of a service. */
export type Handlers<D extends ServiceShape> = { readonly [K in keyof D]: Handler<D[K]> };

export interface RpcServerOptions {
  readonly log: Logger;
  /** The first interceptor is outermost. */
  readonly interceptors?: readonly Interceptor[];
  /** Checked before a request is decoded. Default: no limits. */
  readonly limits?: Pick<RequestLimits, 'check'>;
  /** Default: insecure; then a network policy or a service mesh must protect the port. */
  readonly credentials?: ServerCredentials;
}

/** A gRPC server whose handlers are plain async functions. */
export interface RpcServer extends AsyncDisposable {
  /** Underlying server, to which reflection and health add their services. */
  readonly grpc: Server;
  addService<D extends ServiceShape>(definition: D, handlers: Handlers<D>): void;
  /** Binds `host:port` (port 0: any free one) and resolves with the port. */
  listen(address: string): Promise<number>;
  /**
   * Refuses new calls, signals the running ones by `context.draining`, and resolves when they have ended. Aborts the remaining
   * calls after `graceMs`. Idempotent.
   */
  drain(graceMs: number): Promise<void>;
}

type AnyCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerReadableStream<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;
type Run = (request: unknown, context: CallContext) => unknown;
type SendReply = (error: ServiceError | null, response?: unknown) => void;

/** Creates a server; it listens after `listen`. */
export function createServer(options: RpcServerOptions): RpcServer {
  return new GrpcServer(options);
}

class GrpcServer implements RpcServer {
  readonly grpc: Server;
  readonly #options: RpcServerOptions;
  readonly #draining = new AbortController();
  // One controller per call: on Node 20, AbortSignal.any keeps dependants of a long-lived signal alive.
  readonly #calls = new Set<AbortController>();
  readonly #unread = new UnreadAnswers(UNREAD);
  #drained: Promise<void> | null = null;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    // Every waiting call listens, and a coordinator has hundreds of watchers.
    setMaxListeners(0, this.#draining.signal);
    this.grpc = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      // Per connection; further calls of the client wait.
      'grpc.max_concurrent_streams': 1_000,
      // MB that HTTP/2 holds per connection, mostly unsent stream items; new calls above it are refused.
      'grpc-node.max_session_memory': 64,
      // Channelz counts calls for a debugging service that this server does not offer.
      'grpc.enable_channelz': 0,
      // A client that vanished without a FIN is detected within 30 s.
      'grpc.keepalive_time_ms': 20_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
  }

  addService<D extends ServiceShape>(definition: D, handlers: Handlers<D>): void {
    const implementation: UntypedServiceImplementation = {};
    for (const [name, method] of Object.entries(definition)) {
      implementation[name] = this.#adapt(method, handlers[name as keyof D] as Handler<MethodShape>);
    }
    this.grpc.addService(withRawRequests(definition) as never, implementation);
  }

  async listen(address: string): Promise<number> {
    const credentials = this.#options.credentials ?? ServerCredentials.createInsecure();
    return await new Promise<number>((resolve, reject) => {
      this.grpc.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
  }

  drain(graceMs: number): Promise<void> {
    this.#drained ??= this.#drain(graceMs);
    return this.#drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
  }

  async #drain(graceMs: number): Promise<void> {
    this.#draining.abort(new ShuttingDownError());
    const ended = new Promise<void>((resolve) => this.grpc.tryShutdown(() => resolve()));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), graceMs);
    });
    if ((await Promise.race([ended, late])) === 'late') {
      for (const call of this.#calls) call.abort(new ShuttingDownError());
      this.grpc.forceShutdown();
    }
    clearTimeout(timer);
  }

  #adapt(method: MethodShape, handler: Handler<MethodShape>): UntypedHandleCall {
    const run = handler as Run;
    if (method.responseStream) {
      return ((call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>) =>
        void this.#serve(method, call, (context) =>
          this.#serveStream(method, call, run, context),
        )) as UntypedHandleCall;
    }
    return ((call: ServerUnaryCall<unknown, unknown> | ServerReadableStream<unknown, unknown>, reply: SendReply) =>
      void this.#serve(method, call, (context) =>
        this.#serveUnary(method, call, run, reply, context),
      )) as UntypedHandleCall;
  }

  async #serveUnary(
    method: MethodShape,
    call: ServerUnaryCall<unknown, unknown> | ServerReadableStream<unknown, unknown>,
    run: Run,
    reply: SendReply,
    context: CallContext,
  ): Promise<void> {
    // Streams must be read immediately, or events are missed.
    const requests = 'request' in call ? null : this.#decodeItems(method, streamItems<Buffer>(call, context.signal));
    let answer: EncodedMessage | undefined;
    try {
      await this.#intercepted(context, async () => {
        const request = requests ?? this.#decode(method, (call as { request: Buffer }).request);
        answer = encoded(method, await run(request, context));
        const read = this.#unread.add(context.peer, answer.bytes.length);
        // grpc-js emits `cancelled` also when an answer has been sent completely.
        if (call.cancelled) read();
        else (call as EventEmitter).once('cancelled', read);
      });
    } catch (error) {
      reply(this.#toServiceError(error, context));
      return;
    }
    reply(null, answer);
  }

  async #serveStream(
    method: MethodShape,
    call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
    run: Run,
    context: CallContext,
  ): Promise<void> {
    const requests = method.requestStream
      ? this.#decodeItems(method, streamItems<Buffer>(call as ServerDuplexStream<unknown, unknown>, context.signal))
      : null;
    try {
      await this.#intercepted(context, async () => {
        const request = requests ?? this.#decode(method, (call as { request: Buffer }).request);
        for await (const item of run(request, context) as AsyncIterable<unknown>) {
          if (context.signal.aborted) return;
          if (!call.write(item)) await writable(call, context.signal);
        }
      });
    } catch (error) {
      call.emit('error', this.#toServiceError(error, context));
      return;
    }
    call.end();
  }

  /**
   * Decodes a request inside the interceptors, so that nothing is decoded for an unauthorised client.
   *
   * @throws InvalidRequestError
   */
  #decode(method: MethodShape, bytes: Buffer): unknown {
    this.#options.limits?.check(method.path, bytes);
    try {
      return method.requestDeserialize(bytes);
    } catch {
      throw unreadable(`request of ${method.path}`, 'they can not be decoded');
    }
  }

  #decodeItems(method: MethodShape, items: AsyncIterableIterator<Buffer>): AsyncIterable<unknown> {
    const next = async (): Promise<IteratorResult<unknown>> => {
      const item = await items.next();
      return item.done === true ? item : { done: false, value: this.#decode(method, item.value) };
    };
    const end = async (): Promise<IteratorResult<unknown>> =>
      (await items.return?.()) ?? { done: true, value: undefined };
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
  }

  async #intercepted(context: CallContext, handle: () => Promise<void>): Promise<void> {
    const chain = (this.#options.interceptors ?? []).reduceRight<() => Promise<void>>(
      (next, interceptor) => () => interceptor(context, next),
      handle,
    );
    await chain();
  }

  async #serve(method: MethodShape, call: AnyCall, handle: (context: CallContext) => Promise<void>): Promise<void> {
    const controller = new AbortController();
    const cancel = (): void => controller.abort(new Error('The call was cancelled or its deadline is over.'));
    if (call.cancelled) cancel();
    (call as EventEmitter).once('cancelled', cancel);
    this.#calls.add(controller);
    try {
      await handle({
        path: method.path,
        signal: controller.signal,
        abort: (reason) => controller.abort(reason),
        draining: this.#draining.signal,
        metadata: call.metadata,
        peer: call.getPeer(),
      });
    } finally {
      this.#calls.delete(controller);
    }
  }

  #toServiceError(error: unknown, context: CallContext): ServiceError {
    // After cancellation no client reads the answer, and a handler that throws because of it is not at fault.
    const isExpected = context.signal.aborted;
    return toServiceError(error, (errorId, cause) => {
      const fields = { err: cause, error_id: errorId, call: context.path, ...traceFieldsOf(context) };
      if (isExpected) this.#options.log.debug(fields, 'call ended after it was cancelled');
      else this.#options.log.error(fields, 'call failed');
    });
  }
}

/** Returns the service with undecoded requests: they are checked and decoded inside the interceptors. */
function withRawRequests(definition: ServiceShape): ServiceShape {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: (value: unknown) => encoded(method, value).bytes,
      },
    ]),
  );
}

function encoded(method: MethodShape, value: unknown): EncodedMessage {
  return value instanceof EncodedMessage ? value : new EncodedMessage(method.responseSerialize(value as never));
}

/** Resolves when the stream accepts more items or the call has ended. */
function writable(
  call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      call.off('drain', done);
      call.off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    call.once('close', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
