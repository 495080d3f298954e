import { runOn } from './database-server.ts';

/**
 * Returns why queries can't run as `graft_reader`; null if they can. The role is missing if the user of DATABASE_URL may not create
 * roles, and only a member can assume it.
 */
export async function whyNoReader(url: string): Promise<string | null> {
  const [roles] = await runOn(url, [
    `SELECT rolname, pg_has_role(rolname, 'SET') AS member FROM pg_roles WHERE rolname = 'graft_reader'`,
  ]);
  const role = roles?.[0];
  if (role === undefined) return 'the user of DATABASE_URL may not create roles, so there is no graft_reader';
  return role['member'] === true ? null : 'the user of DATABASE_URL may not become graft_reader';
}
