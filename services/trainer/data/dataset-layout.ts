import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SPLITS } from '../../core/dataset.ts';
import type { DatasetProblem, DatasetProblemCode, Split } from '../../core/dataset.ts';
import type { DatasetSource } from '../../core/sweep/sweep-spec.ts';
import { fileKind } from './image-format.ts';

/** A file that by its place and name is an image of a class. */
export interface ImageFile {
  /** Relative to the data set's folder, with `/`. */
  readonly path: string;
  readonly className: string;
  /** null: to be drawn (flat layout). */
  readonly split: Split | null;
}

export interface DatasetLayout {
  /** Sorted; a class's number is its place. */
  readonly classNames: readonly string[];
  /** By split, class, then Keras' file order. */
  readonly files: readonly ImageFile[];
  readonly problems: readonly DatasetProblem[];
}

/** Names that people give to a split folder and that Graft doesn't look for. */
const SPLIT_ALIASES: Readonly<Record<Split, readonly string[]>> = {
  train: ['training'],
  validation: ['val', 'valid', 'dev'],
  test: ['testing'],
};

/**
 * Finds the image files of a data set: `<split>/<class>/…` or, with split fractions, `<class>/…`. Class folders are searched
 * with their subfolders, links to folders inside them are not followed, hidden ones are left out (as Keras does).
 */
export async function readLayout(source: DatasetSource): Promise<DatasetLayout> {
  const reader = new LayoutReader(source);
  return source.splitFractions === null ? reader.readSplits() : reader.readFlat();
}

class LayoutReader {
  private readonly root: string;
  private readonly skipBadFiles: boolean;
  private readonly problems: DatasetProblem[] = [];

  constructor(source: DatasetSource) {
    this.root = source.path;
    this.skipBadFiles = source.skipBadFiles;
  }

  async readSplits(): Promise<DatasetLayout> {
    const present = await this.folders('');
    if (present === null) return this.layout([], []);
    const classesBySplit = new Map<Split, readonly string[]>();
    for (const split of SPLITS) {
      if (present.includes(split)) classesBySplit.set(split, (await this.folders(split)) ?? []);
      else this.report('MISSING_SPLIT', split, missingSplitMessage(split, present));
    }
    const classNames = [...new Set([...classesBySplit.values()].flat())].sort(compareText);
    const files: ImageFile[] = [];
    for (const [split, classes] of classesBySplit) {
      for (const className of classNames) {
        const path = `${split}/${className}`;
        if (classes.includes(className)) files.push(...(await this.imagesOf(path, className, split)));
        else
          this.report(
            'CLASS_MISSING',
            path,
            `Split "${split}" has no folder of class "${className}", which others have.`,
          );
      }
    }
    return this.layout(classNames, files);
  }

  async readFlat(): Promise<DatasetLayout> {
    const classNames = await this.folders('');
    if (classNames === null) return this.layout([], []);
    if (SPLITS.every((split) => classNames.includes(split))) {
      const message = 'The folder has train, validation and test in it: leave out the split fractions to use them.';
      this.report('CLASS_MISSING', '', message);
      return this.layout([], []);
    }
    const files: ImageFile[] = [];
    for (const className of classNames) files.push(...(await this.imagesOf(className, className, null)));
    return this.layout(classNames, files);
  }

  private layout(classNames: readonly string[], files: readonly ImageFile[]): DatasetLayout {
    if (classNames.length === 1 || (classNames.length === 0 && this.problems.length === 0)) {
      const found = classNames.length === 0 ? 'none was found' : `only "${classNames[0] ?? ''}" was found`;
      this.report('CLASS_MISSING', '', `A data set needs at least two class folders; ${found}.`);
    }
    return { classNames, files, problems: this.problems };
  }

  private async imagesOf(folder: string, className: string, split: Split | null): Promise<readonly ImageFile[]> {
    const problemCount = this.problems.length;
    const paths = await this.walk(folder);
    if (paths.length === 0 && this.problems.length === problemCount) {
      this.report('EMPTY_CLASS', folder, `Class folder "${folder}" has no image (.jpg, .jpeg, .png, .bmp or .gif).`);
    }
    return paths.map((path) => ({ path, className, split }));
  }

  /** Keras' order: folder by folder in the order of their paths, files by name within each. */
  private async walk(folder: string): Promise<readonly string[]> {
    const folders = [folder];
    const files: (readonly [string, readonly string[]])[] = [];
    for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
      const names: string[] = [];
      for (const entry of await this.entries(current)) {
        const path = `${current}/${entry.name}`;
        if (entry.kind === 'folder') folders.push(path);
        else if (entry.kind === 'special') this.reportSpecial(path, entry.name);
        else if (entry.kind === 'file' && this.isImage(path, entry.name)) names.push(entry.name);
      }
      files.push([current, names.sort(compareText)]);
    }
    files.sort(([a], [b]) => compareText(a, b));
    return files.flatMap(([parent, names]) => names.map((name) => `${parent}/${name}`));
  }

  private isImage(path: string, name: string): boolean {
    switch (fileKind(name)) {
      case 'image':
        return true;
      case 'other-image':
        this.report(
          'UNSUPPORTED_FORMAT',
          path,
          `"${path}" is of a format that is not read; convert it to JPEG or PNG, or set skip_bad_files.`,
          !this.skipBadFiles,
        );
        return false;
      case 'other':
        this.report('UNSUPPORTED_FORMAT', path, `"${path}" is no image by its name and is left out.`, false);
        return false;
      case 'system':
        return false;
    }
  }

  /** Reading a pipe would wait for ever. */
  private reportSpecial(path: string, name: string): void {
    if (fileKind(name) === 'system') return;
    const message = `"${path}" is a pipe, socket or device, no file; remove it, or set skip_bad_files.`;
    this.report('UNREADABLE', path, message, !this.skipBadFiles);
  }

  /** Names of the folders within one, sorted; null when it can't be read. */
  private async folders(path: string): Promise<readonly string[] | null> {
    const before = this.problems.length;
    const names: string[] = [];
    for (const entry of await this.entries(path)) {
      const isFolder = entry.kind === 'folder' || entry.kind === 'folder-link';
      if (isFolder && !entry.name.startsWith('.')) names.push(entry.name);
    }
    return this.problems.length > before ? null : names.sort(compareText);
  }

  private async entries(path: string): Promise<readonly Entry[]> {
    try {
      const entries = await readdir(join(this.root, path), { withFileTypes: true });
      return await Promise.all(
        entries.map(async (entry): Promise<Entry> => {
          if (entry.isDirectory()) return { name: entry.name, kind: 'folder' };
          if (entry.isFile()) return { name: entry.name, kind: 'file' };
          return { name: entry.name, kind: await this.linkKind(path, entry.name) };
        }),
      );
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      const where = path === '' ? this.root : join(this.root, path);
      const hint =
        code === 'ENOENT' ? `it does not exist on this machine, ${hostname()}` : `it can't be read (${code})`;
      this.report('UNREADABLE', path, `Folder ${where}: ${hint}.`);
      return [];
    }
  }

  private async linkKind(folder: string, name: string): Promise<Entry['kind']> {
    try {
      const found = await stat(join(this.root, folder, name));
      if (found.isDirectory()) return 'folder-link';
      return found.isFile() ? 'file' : 'special';
    } catch {
      // A dangling link: reading it as an image says so.
      return 'file';
    }
  }

  private report(code: DatasetProblemCode, path: string, message: string, fatal = true): void {
    this.problems.push({ code, path, message, fatal });
  }
}

interface Entry {
  readonly name: string;
  readonly kind: 'folder' | 'folder-link' | 'file' | 'special';
}

function missingSplitMessage(split: Split, present: readonly string[]): string {
  const alias = SPLIT_ALIASES[split].find((name) => present.includes(name));
  if (alias !== undefined) return `There is no folder "${split}", but "${alias}": rename it.`;
  const found = present.length === 0 ? 'no folder' : present.slice(0, 8).join(', ');
  return `There is no folder "${split}" (found: ${found}). If these are the classes, give split fractions.`;
}

/** By Unicode code points, as Python sorts; JavaScript's own order is by UTF-16 units. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
