import { isUtf8 } from 'node:buffer';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { requireInside } from './data-root.ts';

export interface FolderEntry {
  /** As the file system has it: any bytes. */
  readonly name: Buffer;
  /**
   * `special`: a pipe, socket or device, itself or by a link. `broken-link`: leads to nothing. `unfollowed-link`: nobody looked where
   * it leads, because its name is not UTF-8 or of no interest.
   */
  readonly kind: 'folder' | 'folder-link' | 'file' | 'special' | 'broken-link' | 'unfollowed-link';
}

export interface ListFolderOptions {
  /** The data set's folder. */
  readonly root: string;
  /** As in `requireInside`. */
  readonly dataRoot: string | null;
  /** By name: others are not listed, and not followed. */
  readonly isWanted: (name: Buffer) => boolean;
  /** By name: whether to see what a link leads to. */
  readonly isFollowed: (name: string) => boolean;
}

/**
 * Lists a folder. Links are followed to see what they lead to, after it is clear that this lies inside the data root.
 *
 * @param folder relative to the data set's.
 * @throws PathOutsideError for a link that leads out of the data root; an error of the system, with its code.
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
