import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startTestDatabaseServer } from './database-server.ts';
import type { OwnedTestDatabaseServer } from './database-server.ts';
import { makeRunFolder } from './run-folder.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Socket that returns the test run's database server as JSON to `createTestDatabase`. */
    databaseSocket: string;
  }
}

let databaseServer: Promise<OwnedTestDatabaseServer> | null = null;
let closeSocket: () => Promise<void> = () => Promise.resolve();

/**
 * Provides one database server for all test processes. It starts on the first request, so runs without database tests don't wait for
 * it.
 */
export async function setup(project: TestProject): Promise<void> {
  const folder = await makeRunFolder();
  const path = join(folder, 'database.sock');
  const socket = createServer((connection) => {
    connection.on('error', () => undefined);
    databaseServer ??= startTestDatabaseServer();
    databaseServer.then(
      ({ adminUrl, template, prefix }) => connection.end(JSON.stringify({ adminUrl, template, prefix })),
      (error: unknown) => connection.end(JSON.stringify({ error: describe(error) })),
    );
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.listen(path, resolve);
  });
  closeSocket = async (): Promise<void> => {
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    await rm(folder, { recursive: true, force: true });
  };
  project.provide('databaseSocket', path);
}

export async function teardown(): Promise<void> {
  await closeSocket();
  const server = await databaseServer?.catch(() => null);
  await server?.stop();
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\nCause: ${describe(error.cause)}`;
}
