import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';

/** A path of a spec that leads out of the folder that sweeps may read (GRAFT_DATA_ROOT). */
export class PathOutsideError extends Error {
  override readonly name = 'PathOutsideError';

  constructor(field: string, path: string, dataRoot: string) {
    super(
      `${field}: "${path}" lies outside ${dataRoot}, the folder that trainers may read (GRAFT_DATA_ROOT), or leads out of it ` +
        'by a link. Move the data into it.',
    );
  }
}

/** Links that lead to links are followed so far, as Linux does. */
const MAX_LINKS = 40;

/**
 * Refuses paths that are not below the data root, also where links lead there, even to nothing: the answer does not tell what
 * exists outside. A path to nothing inside is let through: what opens it says that it is missing.
 *
 * @param dataRoot null: everything may be read.
 * @param field of the spec, for the message.
 * @throws PathOutsideError
 */
export async function requireInside(dataRoot: string | null, path: string, field: string): Promise<void> {
  if (dataRoot === null) return;
  // First by the name alone.
  const root = resolve(dataRoot);
  if (!isBelow(root, resolve(path))) throw new PathOutsideError(field, path, dataRoot);
  if (!isBelow(await realpath(root), await targetOf(path))) throw new PathOutsideError(field, path, dataRoot);
}

/** Where a path leads when all links are followed, also where nothing is there. */
async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return followByName(resolve(path), { links: 0 });
  }
}

/** Follows link by link, as far as there are any; a loop of links ends where it has been followed `MAX_LINKS` times. */
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

/** null: it is no link. */
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
