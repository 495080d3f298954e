import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';

/** What pg 8.23 has in lib/connection.js and its types don't. */
interface Internals {
  readonly stream: Socket;
  connect(port: number | string, host?: string): void;
  attachListeners(stream: Socket): void;
  emit(event: 'sslconnect'): boolean;
}

/**
 * A connection of `pg` that asks the server for TLS and goes on without it, over the same socket, where the server answers that it
 * has none: `sslmode=prefer`. `pg` itself would fail.
 */
export function preferTls(ssl: ConnectionOptions): pg.Connection {
  const connection = new pg.Connection({ ssl, keepAlive: true });
  const internals = connection as unknown as Internals;
  const connect = internals.connect.bind(connection);
  internals.connect = (port, host) => {
    const { stream } = internals;
    connect(port, host);
    const [negotiate] = stream.listeners('data').slice(-1);
    stream.removeAllListeners('data');
    stream.once('data', (answer: Buffer) => {
      if (answer.toString('latin1') !== 'N') {
        negotiate?.(answer);
        return;
      }
      internals.attachListeners(stream);
      internals.emit('sslconnect');
    });
  };
  return connection;
}
