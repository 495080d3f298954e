import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * Returns the folders of Graft on a machine. A plain-JavaScript twin of `services/platform/paths.ts`, for use before node_modules
 * exists; a test compares the two.
 *
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {{ cacheDir: string, stateDir: string }}
 */
export function resolvePaths(env) {
  const home = nonEmpty(env['HOME']) ?? homedir();
  return {
    cacheDir:
      nonEmpty(env['GRAFT_CACHE_DIR']) ?? join(nonEmpty(env['XDG_CACHE_HOME']) ?? join(home, '.cache'), 'graft'),
    stateDir:
      nonEmpty(env['GRAFT_STATE_DIR']) ??
      join(nonEmpty(env['XDG_DATA_HOME']) ?? join(home, '.local', 'share'), 'graft'),
  };
}

/** @param {string | undefined} value */
function nonEmpty(value) {
  return value === undefined || value === '' ? undefined : value;
}
