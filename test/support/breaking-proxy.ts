import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

export interface BreakingProxyOptions {
  /** Number of answer bytes after which each connection is cut off. */
  readonly breakAfterBytes?: number;
  /** Called before a chunk of an answer is forwarded. */
  readonly onAnswer?: () => void;
}

/** Forwards connections to an HTTP server and breaks them. */
export class BreakingProxy implements AsyncDisposable {
  readonly address: string;
  #breakCount = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string, options: BreakingProxyOptions): Promise<BreakingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      let passedBytes = 0;
      for (const socket of [client, upstream]) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          client.destroy();
          upstream.destroy();
        });
      }
      client.pipe(upstream);
      upstream.on('data', (chunk: Buffer) => {
        options.onAnswer?.();
        const rest = (options.breakAfterBytes ?? Infinity) - passedBytes;
        passedBytes += chunk.length;
        if (chunk.length < rest) {
          client.write(chunk);
          return;
        }
        if (client.destroyed) return;
        proxy.#breakCount += 1;
        upstream.pause();
        client.write(chunk.subarray(0, rest), () => client.resetAndDestroy());
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new BreakingProxy(server);
    return proxy;
  }

  get breakCount(): number {
    return this.#breakCount;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
