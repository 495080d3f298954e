import { runOn } from './database-server.ts';

/**
 * Why nothing can be asked as `graft_reader` here; null where it can. The role is missing where the user of DATABASE_URL may not
 * create roles, and a user who is no member of it can't take it.
 */
export async function whyNoReader(url: string): Promise<string | null> {
  const [roles] = await runOn(url, [
    `SELECT rolname, pg_has_role(rolname, 'SET') AS member FROM pg_roles WHERE rolname = 'graft_reader'`,
  ]);
  const role = roles?.[0];
  if (role === undefined) return 'the user of DATABASE_URL may not create roles, so there is no graft_reader';
  return role['member'] === true ? null : 'the user of DATABASE_URL may not become graft_reader';
}
