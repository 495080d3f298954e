import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';

/** Thrown for a path of a spec that leads out of the folder that sweeps may read (GRAFT_DATA_ROOT). */
export class PathOutsideError extends Error {
  override readonly name = 'PathOutsideError';

  constructor(field: string, path: string, dataRoot: string) {
    super(
      `${field}: "${path}" lies outside ${dataRoot}, the folder that trainers may read (GRAFT_DATA_ROOT), or leads out of it ` +
        'through a link. Move the data into it.',
    );
  }
}

/** Maximum number of links followed in one path, as on Linux. */
const MAX_LINKS = 40;

/**
 * Refuses a path outside the data root, including one that leads out through links, even broken ones: the response must
 * not reveal what exists outside. A nonexistent path inside is accepted; opening it reports that it is missing.
 *
 * @param dataRoot null allows every path.
 * @param field field of the spec, for the message.
 * @throws {PathOutsideError} when the path leads outside.
 */
export async function requireInside(dataRoot: string | null, path: string, field: string): Promise<void> {
  if (dataRoot === null) return;
  // Compare the name alone first.
  const root = resolve(dataRoot);
  if (!isBelow(root, resolve(path))) throw new PathOutsideError(field, path, dataRoot);
  if (!isBelow(await realpath(root), await targetOf(path))) throw new PathOutsideError(field, path, dataRoot);
}

/** Returns the path with all links resolved, even if nothing exists there. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return followByName(resolve(path), { links: 0 });
  }
}

/** Follows one link at a time as far as links exist. A cycle of links ends after `MAX_LINKS` steps. */
async function followByName(path: string, followed: { links: number }): Promise<string> {
  const parent = dirname(path);
  if (parent === path) return path;
  const folder = await followByName(parent, followed);
  const own = join(folder, basename(path));
  const target = followed.links < MAX_LINKS ? await linkTarget(own) : null;
  if (target === null) return own;
  followed.links += 1;
  return followByName(resolve(folder, target), followed);
}

/** Returns a link's target; null if the path is not a link. */
async function linkTarget(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch {
    return null;
  }
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}
