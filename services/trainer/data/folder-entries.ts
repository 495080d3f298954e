import { isUtf8 } from 'node:buffer';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { requireInside } from './data-root.ts';

export interface FolderEntry {
  /** Raw bytes, as the file system stores them. */
  readonly name: Buffer;
  /**
   * `special`: a pipe, socket or device, directly or through a link. `unfollowed-link`: the target was not examined,
   * because the name is not UTF-8 or is irrelevant.
   */
  readonly kind: 'folder' | 'folder-link' | 'file' | 'special' | 'broken-link' | 'unfollowed-link';
}

export interface ListFolderOptions {
  /** The data set's folder. */
  readonly root: string;
  /** The data root, as in `requireInside`. */
  readonly dataRoot: string | null;
  /** Selects entries by name; others are neither listed nor followed. */
  readonly isWanted: (name: Buffer) => boolean;
  /** Selects by name the links whose target is examined. */
  readonly isFollowed: (name: string) => boolean;
}

/**
 * Lists a folder. The target of a link is examined only after it is known to be inside the data root.
 *
 * @param folder path relative to the data set's folder.
 * @throws {PathOutsideError} when a link leads out of the data root; a system error (with its code) when the folder
 * can't be read.
 */
export async function listFolder(folder: Buffer, options: ListFolderOptions): Promise<readonly FolderEntry[]> {
  const { root, dataRoot, isWanted, isFollowed } = options;
  const absolute = Buffer.concat([Buffer.from(`${root}/`), folder]);
  const entries = await readdir(absolute, { withFileTypes: true, encoding: 'buffer' });
  return Promise.all(
    entries
      .filter(({ name }) => isWanted(name))
      .map(async (entry): Promise<FolderEntry> => {
        const { name } = entry;
        if (entry.isDirectory()) return { name, kind: 'folder' };
        if (entry.isFile()) return { name, kind: 'file' };
        if (!entry.isSymbolicLink()) return { name, kind: 'special' };
        const text = name.toString('utf8');
        if (!isUtf8(name) || !isUtf8(folder) || !isFollowed(text)) return { name, kind: 'unfollowed-link' };
        const path = join(root, folder.toString('utf8'), text);
        await requireInside(dataRoot, path, 'dataset.path');
        return { name, kind: await targetKind(path) };
      }),
  );
}

async function targetKind(path: string): Promise<FolderEntry['kind']> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return 'folder-link';
    return found.isFile() ? 'file' : 'special';
  } catch {
    return 'broken-link';
  }
}
