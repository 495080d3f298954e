import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { damageFile } from '../support/damage-file.ts';
import type { FileDamage } from '../support/damage-file.ts';

/** What is stored and can be made again. */
export type StoredKind = 'features' | 'manifest' | 'checkpoint' | 'images';

export const STORED_KINDS: readonly StoredKind[] = ['features', 'manifest', 'checkpoint', 'images'];

export interface StoredFolders {
  readonly artifactsDir: string;
  readonly cacheDir: string;
}

export interface StoredTarget {
  readonly kind: StoredKind;
  readonly damage: FileDamage;
  /** Which of the newest files, from 0 to below 1. */
  readonly place: number;
  /** Where in the file, from 0 to below 1. */
  readonly part: number;
}

/** Those of the sweep that trains, most likely. */
const NEWEST = 6;

/** Does the damage to one of the newest files of its kind; gives its path relative to the folders, null where there is none. */
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
    // Removed meanwhile, by those who own it.
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

/** A cache folder of its own, whose decoded images may be damaged; engine and weights are the shared one's. */
export function ownCacheDir(folder: string, sharedCacheDir: string): string {
  const own = join(folder, 'cache');
  mkdirSync(own, { recursive: true });
  for (const name of ['engine', 'weights']) {
    const shared = join(sharedCacheDir, name);
    if (existsSync(shared) && !existsSync(join(own, name))) symlinkSync(shared, join(own, name));
  }
  return own;
}
