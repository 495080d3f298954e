import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/**
 * The behaviour of connections. PASS: normal. CUT: reset, new ones at once. BLACK_HOLE: open, but no data arrives on either side. DELAY:
 * all data arrives later, in order.
 */
export type ProxyMode =
  { readonly kind: 'PASS' | 'CUT' | 'BLACK_HOLE' } | { readonly kind: 'DELAY'; readonly ms: number };

/** The network between two processes, as a TCP proxy on a separate port. */
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

  /** @param target address `host:port`, which need not listen yet. */
  static async start(target: string): Promise<TcpProxy> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server);
    server.on('connection', (client) => proxy.#accept(client, host, Number(port)));
    return proxy;
  }

  /** Sets the behaviour. Bytes that BLACK_HOLE held back arrive when it ends, as retransmitted packets would. */
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
        // In a black hole the peer would learn of the end late; never has the same effect, since it must detect silence by itself.
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

/** One direction of a connection. */
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

  /** Sends all data that is due. */
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
