import { applyMigrations } from '../../services/platform/db/apply-migrations.ts';
import { startEmbeddedPostgres } from '../../services/platform/db/embedded-postgres.ts';

// Runs a migrated PostgreSQL on the loopback of its namespace until standard input ends.
const [dataDir = ''] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ dataDir, log: () => undefined });
await applyMigrations(server.url);
process.stdout.write(`${server.url}\n`);
process.stdin.resume();
process.stdin.once('end', () => void server.stop());
