import { realpath } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';

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

/**
 * Refuses paths that are not below the data root, also where links lead there. A path of nothing is let through: what opens it
 * says that it is missing.
 *
 * @param dataRoot null: everything may be read.
 * @param field of the spec, for the message.
 * @throws PathOutsideError
 */
export async function requireInside(dataRoot: string | null, path: string, field: string): Promise<void> {
  if (dataRoot === null) return;
  // First by the name alone, so that the answer does not tell what exists outside.
  const root = resolve(dataRoot);
  if (!isBelow(root, resolve(path))) throw new PathOutsideError(field, path, dataRoot);
  const target = await targetOf(path);
  if (target !== null && !isBelow(await realpath(root), target)) throw new PathOutsideError(field, path, dataRoot);
}

/**
 * The same for all files of a folder.
 *
 * @param paths relative to `folder`.
 * @throws PathOutsideError for the first one that leads out.
 */
export async function requireAllInside(
  dataRoot: string | null,
  folder: string,
  paths: readonly string[],
): Promise<void> {
  if (dataRoot === null) return;
  const root = await realpath(dataRoot);
  for (const path of paths) {
    const target = await targetOf(join(folder, path));
    if (target !== null && !isBelow(root, target))
      throw new PathOutsideError('dataset.path', join(folder, path), dataRoot);
  }
}

/** Where a path leads when all links are followed; null: to nothing. */
async function targetOf(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch {
    return null;
  }
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
}
