import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/**
 * How a connection behaves: PASS; CUT: reset, and new ones are reset at once; BLACK_HOLE: open, but nothing arrives on
 * either side; DELAY: everything arrives later, in order.
 */
export type ProxyMode =
  { readonly kind: 'PASS' | 'CUT' | 'BLACK_HOLE' } | { readonly kind: 'DELAY'; readonly ms: number };

/** The network between two processes, as a TCP proxy on a port of its own. */
export class TcpProxy implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #ways = new Set<Way>();
  #mode: ProxyMode = { kind: 'PASS' };

  private constructor(server: Server) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param target `host:port`; need not listen yet. */
  static async start(target: string): Promise<TcpProxy> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server);
    server.on('connection', (client) => proxy.#accept(client, host, Number(port)));
    return proxy;
  }

  /** From now on. Bytes kept back by BLACK_HOLE arrive when it is over, as packets sent again would. */
  setMode(mode: ProxyMode): void {
    this.#mode = mode;
    if (mode.kind === 'CUT') for (const socket of this.#sockets) socket.resetAndDestroy();
    for (const way of this.#ways) way.pump();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket, host: string, port: number): void {
    if (this.#mode.kind === 'CUT') {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = connect(port, host);
    const ways = [this.#join(client, server), this.#join(server, client)];
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        for (const way of ways) this.#ways.delete(way);
        // A peer that is gone is told late in a black hole; never is as good for the one who must notice by itself.
        if (this.#mode.kind !== 'BLACK_HOLE') for (const other of [client, server]) other.destroy();
      });
    }
  }

  #join(from: Socket, to: Socket): Way {
    const way = new Way(from, to, () => this.#mode);
    this.#ways.add(way);
    return way;
  }
}

/** One direction of one connection. */
class Way {
  readonly #to: Socket;
  readonly #mode: () => ProxyMode;
  readonly #queue: { readonly chunk: Buffer; readonly at: number }[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(from: Socket, to: Socket, mode: () => ProxyMode) {
    this.#to = to;
    this.#mode = mode;
    from.on('data', (chunk) => {
      this.#queue.push({ chunk, at: performance.now() });
      this.pump();
    });
  }

  /** Sends what is due. */
  pump(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const mode = this.#mode();
    if (mode.kind === 'BLACK_HOLE' || mode.kind === 'CUT') return;
    const delayMs = mode.kind === 'DELAY' ? mode.ms : 0;
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const waitMs = head.at + delayMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#queue.shift();
      if (this.#to.writable) this.#to.write(head.chunk);
    }
  }
}
