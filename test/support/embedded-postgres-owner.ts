import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';

// A process that starts the embedded server, prints one line of JSON when it is ready, and runs until it is killed.
const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error('usage: embedded-postgres-owner DATA_DIR');
const { url, pid, isOwn } = await startEmbeddedPostgres({ dataDir, log: () => undefined });
process.on('SIGINT', () => process.stdout.write('interrupted\n'));
setInterval(() => undefined, 60_000);
process.stdout.write(`${JSON.stringify({ url, pid, isOwn })}\n`);
