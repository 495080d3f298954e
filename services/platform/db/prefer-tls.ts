import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';

/** Internals of pg 8.23 (lib/connection.js) that its types lack. */
interface Internals {
  readonly stream: Socket;
  connect(port: number | string, host?: string): void;
  attachListeners(stream: Socket): void;
  emit(event: 'sslconnect'): boolean;
}

/**
 * A connection of `pg` for `sslmode=prefer`: it requests TLS and continues without it on the same socket if the server
 * does not support TLS. `pg` itself would fail.
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
