import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';

/** A connection that makes calls and reads no answer: its flow-control window is 0. */
export class UnreadClient implements AsyncDisposable {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  static async open(address: string): Promise<UnreadClient> {
    const session = connect(`http://${address}`, { settings: { initialWindowSize: 0 } });
    session.on('error', () => undefined);
    await Promise.all([once(session, 'connect'), once(session, 'remoteSettings'), once(session, 'localSettings')]);
    return new UnreadClient(session);
  }

  /** Makes a unary call. @returns the gRPC status, or null if an answer waits to be read. */
  async call(path: string, request: Uint8Array): Promise<number | null> {
    const stream: ClientHttp2Stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(request.length, 1);
    stream.end(Buffer.concat([prefix, request]));
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    const status = headers['grpc-status'];
    return status === undefined ? null : Number(status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#session, 'close');
    this.#session.destroy();
    await closed;
  }
}
