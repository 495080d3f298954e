import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Effect on a request in transit. */
export type Fate =
  /** It arrives and is answered. */
  | 'PASS'
  /** It never arrives; the connection is cut. */
  | 'LOSE'
  /** It arrives and has its effect, but the answer is lost with the connection. */
  | 'LOSE_ANSWER';

export interface SeenRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** HTTP between a client and a server, where requests can be lost at a chosen moment. */
export class Forwarder implements AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /**
   * @param target `http://host:port`, need not listen yet.
   * @param decide asked for every request; `after` runs when its fate is fulfilled, before the connection is cut.
   */
  static async start(
    target: string,
    decide: (seen: SeenRequest) => { readonly fate: Fate; readonly after?: () => Promise<void> },
  ): Promise<Forwarder> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const forwarder = new Forwarder(server);
    server.on('request', (incoming, outgoing) => {
      void forwarder.#serve(target, incoming, outgoing, decide);
    });
    return forwarder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(
    target: string,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    decide: (seen: SeenRequest) => { readonly fate: Fate; readonly after?: () => Promise<void> },
  ): Promise<void> {
    try {
      const body = await buffer(incoming);
      const { method = '', url = '', headers } = incoming;
      const seen = { method, path: url.split('?')[0] ?? '', headers, body };
      this.seen.push(seen);
      const { fate, after } = decide(seen);
      const answer = fate === 'LOSE' ? null : await forward(`${target}${url}`, seen);
      await after?.();
      if (answer === null || fate === 'LOSE_ANSWER') incoming.socket.destroy();
      else outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    } catch {
      // The server is down.
      incoming.socket.destroy();
    }
  }
}

async function forward(
  url: string,
  { method, headers, body }: SeenRequest,
): Promise<{ readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: Buffer }> {
  const outgoing = request(url, { method, headers: { ...headers, host: new URL(url).host }, agent: false });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const answerBody = await buffer(answer);
  // The body is forwarded in one piece.
  const answerHeaders = { ...answer.headers };
  delete answerHeaders['transfer-encoding'];
  return { status: answer.statusCode ?? 502, headers: answerHeaders, body: answerBody };
}
