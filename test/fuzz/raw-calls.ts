import { Client, Metadata, credentials, status } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { toBinary } from '@bufbuild/protobuf';
import type { DescMethod } from '@bufbuild/protobuf';
import { instancesOf, registry } from '../support/filled-messages.ts';

/** A method on the wire. */
export interface RawMethod {
  readonly path: string;
  readonly kind: DescMethod['methodKind'];
  /** Well-formed requests with every field set. */
  readonly samples: readonly Uint8Array[];
}

/** The end of a call: its status, with all strings of the answer. */
export interface RawAnswer {
  readonly code: string;
  readonly text: string;
}

/** Deadline, longer than any answer takes; ends long polls. */
const DEADLINE_MS = 2_000;
/** Number of requests in a stream. */
const STREAMED = 3;

/** Methods that need no token. */
export const HEALTH: RawMethod = {
  path: '/grpc.health.v1.Health/Check',
  kind: 'unary',
  samples: [Uint8Array.of(10, 1, 65)],
};

/** Returns every method of Graft's services and of the health service. */
export function allMethods(): RawMethod[] {
  const own = [...registry]
    .filter((type) => type.kind === 'service')
    .flatMap((service) =>
      service.methods.map((method) => ({
        path: `/${service.typeName}/${method.name}`,
        kind: method.methodKind,
        samples: instancesOf(method.input).map(({ message }) => toBinary(method.input, message)),
      })),
    );
  return [...own, HEALTH];
}

/** A client that sends raw bytes. */
export class RawClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  /** @param token null: none is sent. */
  constructor(address: string, token: string | null) {
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    if (token !== null) this.#metadata.set('authorization', `Bearer ${token}`);
  }

  /** Sends one message, or several if the method takes a stream, and waits for the end. Never rejects. */
  call(method: RawMethod, next: () => Buffer): Promise<RawAnswer> {
    const options = { deadline: Date.now() + DEADLINE_MS };
    const args = [method.path, asIs, asIs] as const;
    switch (method.kind) {
      case 'unary':
        return new Promise((resolve) => {
          this.#client.makeUnaryRequest(...args, next(), this.#metadata, options, (error) => resolve(answerOf(error)));
        });
      case 'client_streaming':
        return new Promise((resolve) => {
          const call = this.#client.makeClientStreamRequest(...args, this.#metadata, options, (error) =>
            resolve(answerOf(error)),
          );
          for (let index = 0; index < STREAMED; index += 1) call.write(next());
          call.end();
        });
      case 'server_streaming':
        return untilEnd(this.#client.makeServerStreamRequest(...args, next(), this.#metadata, options));
      case 'bidi_streaming': {
        const call = this.#client.makeBidiStreamRequest(...args, this.#metadata, options);
        const ended = untilEnd(call);
        for (let index = 0; index < STREAMED; index += 1) call.write(next());
        call.end();
        return ended;
      }
    }
  }

  close(): void {
    this.#client.close();
  }
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function untilEnd(call: ClientReadableStream<Buffer>): Promise<RawAnswer> {
  return new Promise((resolve) => {
    call.on('data', () => undefined);
    call.on('error', (error: ServiceError) => resolve(answerOf(error)));
    call.on('end', () => resolve({ code: 'OK', text: '' }));
  });
}

function answerOf(error: ServiceError | null): RawAnswer {
  if (error === null) return { code: 'OK', text: '' };
  const trailers = Object.values(error.metadata.getMap()).map((value) => value.toString());
  return { code: status[error.code], text: [error.details, ...trailers].join('\n') };
}
