import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { damageFile } from '../support/damage-file.ts';
import type { FileDamage } from '../support/damage-file.ts';

/** Kinds of stored files, which can be recomputed. */
export type StoredKind = 'features' | 'manifest' | 'checkpoint' | 'images';

export const STORED_KINDS: readonly StoredKind[] = ['features', 'manifest', 'checkpoint', 'images'];

export interface StoredFolders {
  readonly artifactsDir: string;
  readonly cacheDir: string;
}

export interface StoredTarget {
  readonly kind: StoredKind;
  readonly damage: FileDamage;
  /** Choice among the latest files, from 0 (inclusive) to 1 (exclusive). */
  readonly place: number;
  /** Position in the file, from 0 (inclusive) to 1 (exclusive). */
  readonly part: number;
}

/** Number of latest files to choose from, most likely of the sweep that trains. */
const NEWEST = 6;

/** Damages one of the latest files of a kind. @returns its path relative to the folders; null if there is none. */
export function damageStored({ artifactsDir, cacheDir }: StoredFolders, target: StoredTarget): string | null {
  const root = target.kind === 'images' ? cacheDir : artifactsDir;
  const folder = { features: 'features', manifest: 'datasets', checkpoint: 'checkpoints', images: 'images' }[
    target.kind
  ];
  const files = newestFiles(join(root, folder));
  const path = files[Math.floor(target.place * Math.min(NEWEST, files.length))];
  if (path === undefined) return null;
  try {
    damageFile(path, target.damage, target.part);
  } catch {
    // Its owner has removed it meanwhile.
    return null;
  }
  return relative(root, path).split(sep).join('/');
}

function newestFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.(tmp|part)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return paths
    .flatMap((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined || found.size === 0 ? [] : [{ path, time: found.mtimeMs }];
    })
    .sort((a, b) => b.time - a.time)
    .map(({ path }) => path);
}

/** Creates a cache folder whose decoded images may be damaged; engine and weights are shared with the default one. */
export function ownCacheDir(folder: string, sharedCacheDir: string): string {
  const own = join(folder, 'cache');
  mkdirSync(own, { recursive: true });
  for (const name of ['engine', 'weights']) {
    const shared = join(sharedCacheDir, name);
    if (existsSync(shared) && !existsSync(join(own, name))) symlinkSync(shared, join(own, name));
  }
  return own;
}
