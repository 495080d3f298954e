import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EmbeddedPostgresError, useAnotherServer } from './embedded-postgres-error.ts';

/** The system account that the server runs under when we are root, which PostgreSQL refuses to be. */
export interface ServerAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Chooses the account of the server: `undefined` (our own) for an ordinary user; for root the account `postgres`, else
 * `nobody`. initdb wants an account with an entry in /etc/passwd, so a bare number will not do.
 *
 * @throws EmbeddedPostgresError when root has neither
 */
export function chooseServerAccount(
  ownUid = process.getuid?.(),
  passwdFile = '/etc/passwd',
): ServerAccount | undefined {
  if (ownUid !== 0) return undefined;
  const accounts = readFileSync(passwdFile, 'utf8').split('\n').map(parseAccount);
  const account = ['postgres', 'nobody'].map((name) => accounts.find((one) => one?.name === name)).find(Boolean);
  if (account !== undefined) return account;
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, and ${passwdFile} has no account "postgres" or "nobody" to run it under.`,
    `Add one (useradd --system postgres) or start Graft as an ordinary user. ${useAnotherServer}`,
  );
}

function parseAccount(line: string): ServerAccount | undefined {
  const [name, , uid, gid] = line.split(':');
  if (name === undefined || uid === undefined || gid === undefined) return undefined;
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** Whether an account may walk down to a folder: the search permission of it and of every folder above. */
export function canReach(folder: string, account: ServerAccount): boolean {
  const { mode, uid, gid } = statSync(folder);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  if ((mode & bit) === 0) return false;
  const parent = dirname(resolve(folder));
  return parent === folder || canReach(parent, account);
}
