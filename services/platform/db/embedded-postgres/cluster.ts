import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ServerAccount } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';
import { EmbeddedPostgresError, useAnotherServer } from './embedded-postgres-error.ts';

export const superuser = 'graft';

/**
 * Returns the path under which the server receives its data folder. Another account may be unable to reach the absolute
 * path (below a 0700 home folder). A process started inside the folder can use the relative one, which needs no search
 * permission above.
 */
export function dataFolderArgument(cluster: string, account: ServerAccount | undefined): string {
  return account === undefined ? cluster : '/proc/self/cwd';
}

/**
 * Initialises the data folder if it does not exist. initdb writes a folder beside it, which is renamed only after
 * initdb succeeded.
 *
 * @param cluster path of the folder, for example `<dataDir>/cluster`.
 */
export async function initialiseCluster(
  cluster: string,
  binaries: PostgresBinaries,
  account: ServerAccount | undefined,
  password: string,
): Promise<void> {
  if (existsSync(join(cluster, 'PG_VERSION'))) return;
  const partial = `${cluster}.partial`;
  const passwordFile = `${cluster}.password`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { mode: 0o700 });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (account !== undefined) {
      for (const path of [partial, passwordFile]) chownSync(path, account.uid, account.gid);
    }
    await runInitdb(binaries.initdb, partial, account, join('..', basename(passwordFile)));
    renameSync(partial, cluster);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(partial, { recursive: true, force: true });
  }
}

function runInitdb(
  initdb: string,
  folder: string,
  account: ServerAccount | undefined,
  passwordFile: string,
): Promise<void> {
  const args = [
    `--pgdata=${dataFolderArgument(folder, account)}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--set=timezone=UTC',
    '--set=log_timezone=UTC',
    '--no-instructions',
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(initdb, args, {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) => {
      reject(initdbFailed(error.message));
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(initdbFailed(output.trim()));
    });
  });
}

function initdbFailed(output: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError('initdb failed.', `See its output below. ${useAnotherServer}`, output);
}

/** Refuses a data folder of another major version of PostgreSQL, which the server cannot read. */
export function checkClusterVersion(cluster: string, serverMajor: string): void {
  const found = readFileSync(join(cluster, 'PG_VERSION'), 'utf8').trim();
  if (found === serverMajor) return;
  throw new EmbeddedPostgresError(
    `${cluster} was created by PostgreSQL ${found}; the embedded server is ${serverMajor}.`,
    `Dump it with PostgreSQL ${found} and load it into a new one, or move the folder away to start empty. ${useAnotherServer}`,
  );
}
