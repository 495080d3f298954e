import { createServer } from 'node:net';

/** Opens and closes a port on 127.0.0.1: the given one, or any free one for 0. Rejects if it is in use. */
export function freePort(port = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('a TCP server has an address'));
      });
    });
  });
}

/** Returns whether a server could currently listen on that port of 127.0.0.1. */
export function isFreePort(port: number): Promise<boolean> {
  return freePort(port).then(
    () => true,
    () => false,
  );
}
