import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EmbeddedPostgresError, useAnotherServer } from './embedded-postgres-error.ts';

/** The system account that runs the server when Graft runs as root, which PostgreSQL refuses. */
export interface ServerAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Chooses the account of the server: `undefined` (the current one) for an ordinary user; for root the account
 * `postgres`, else the user nobody. initdb requires an account with an entry in /etc/passwd, so a bare user ID does not
 * suffice.
 *
 * @throws {EmbeddedPostgresError} when Graft runs as root and neither account exists.
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

/** Returns whether an account has search permission for a folder and for every folder above it. */
export function canReach(folder: string, account: ServerAccount): boolean {
  const { mode, uid, gid } = statSync(folder);
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  if ((mode & bit) === 0) return false;
  const parent = dirname(resolve(folder));
  return parent === folder || canReach(parent, account);
}
