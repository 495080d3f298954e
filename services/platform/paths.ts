import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The folders that Graft uses on a machine. `deploy/bootstrap/paths.js` is the plain-JavaScript twin (a test compares
 * them).
 */
export interface GraftPaths {
  /** Data that can be rebuilt at any time: engine, weights, demo data, decoded images. */
  readonly cacheDir: string;
  /** Data that must not be lost: database files, artifact store, trainer journals. */
  readonly stateDir: string;
}

/**
 * Resolves the folders from the environment: `GRAFT_CACHE_DIR` and `GRAFT_STATE_DIR` first, then the XDG variables,
 * then `~/.cache/graft` and `~/.local/share/graft`.
 */
export function resolvePaths(env: Readonly<Record<string, string | undefined>>): GraftPaths {
  const home = nonEmpty(env['HOME']) ?? homedir();
  return {
    cacheDir:
      nonEmpty(env['GRAFT_CACHE_DIR']) ?? join(nonEmpty(env['XDG_CACHE_HOME']) ?? join(home, '.cache'), 'graft'),
    stateDir:
      nonEmpty(env['GRAFT_STATE_DIR']) ??
      join(nonEmpty(env['XDG_DATA_HOME']) ?? join(home, '.local', 'share'), 'graft'),
  };
}

/** Returns the folder in which Keras keeps weights that it has downloaded. */
export function kerasModelsDir(env: Readonly<Record<string, string | undefined>>): string {
  return join(nonEmpty(env['HOME']) ?? homedir(), '.keras', 'models');
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
