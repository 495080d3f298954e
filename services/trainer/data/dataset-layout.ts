import { isUtf8 } from 'node:buffer';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SPLITS } from '../../core/dataset.ts';
import type { DatasetProblem, DatasetProblemCode, Split } from '../../core/dataset.ts';
import { fileKind, READ_FORMATS } from '../../core/file-kind.ts';
import { isLeftover } from '../../core/leftovers.ts';
import type { DatasetSource } from '../../core/sweep/sweep-spec.ts';
import { controlProblem } from '../../core/text/control-characters.ts';
import { fileProblem } from '../../platform/files/file-problem.ts';
import { findAlike, matchClasses, spell } from './class-names.ts';
import type { FoundClass } from './class-names.ts';
import { PathOutsideError } from './data-root.ts';
import { compareText, showName } from './file-names.ts';
import { listFolder } from './folder-entries.ts';
import type { FolderEntry } from './folder-entries.ts';

/** A file whose location and name make it an image of a class. */
export interface ImageFile {
  /** Path relative to the data set folder, separated by `/`. */
  readonly path: string;
  readonly className: string;
  /** null if the split is to be drawn (flat layout). */
  readonly split: Split | null;
}

export interface DatasetLayout {
  /** Class names in sorted order; a class's label is its index. */
  readonly classNames: readonly string[];
  /** Image files ordered by split, class, then Keras' file order. */
  readonly files: readonly ImageFile[];
  readonly problems: readonly DatasetProblem[];
}

/** Common names of split folders that Graft does not read; used for hints. */
const SPLIT_ALIASES: Readonly<Record<Split, readonly string[]>> = {
  train: ['training'],
  validation: ['val', 'valid', 'dev'],
  test: ['testing'],
};

/** Maximum number of names that one message about leftovers lists. */
const LISTED_LEFTOVERS = 20;

/**
 * Finds the image files of a data set: `<split>/<class>/…`, or `<class>/…` with split fractions. As in Keras, class
 * folders are searched recursively, links to folders inside them are not followed, and class folders whose name begins
 * with a dot are left out. Unlike Keras, files left by operating systems and tools are left out too (`core/leftovers.ts`).
 *
 * @param dataRoot as in `requireInside`.
 * @throws {PathOutsideError} when a link leads out of the data root; nothing outside is listed.
 */
export async function readLayout(source: DatasetSource, dataRoot: string | null): Promise<DatasetLayout> {
  const reader = new LayoutReader(source, dataRoot);
  return source.splitFractions === null ? reader.readSplits() : reader.readFlat();
}

class LayoutReader {
  private readonly root: string;
  private readonly dataRoot: string | null;
  private readonly skipBadFiles: boolean;
  private readonly problems: DatasetProblem[] = [];
  /** Number of occurrences by leftover name. */
  private readonly leftovers = new Map<string, number>();

  constructor(source: DatasetSource, dataRoot: string | null) {
    this.root = source.path;
    this.dataRoot = dataRoot;
    this.skipBadFiles = source.skipBadFiles;
  }

  async readSplits(): Promise<DatasetLayout> {
    const present = await this.topFolders();
    if (present === null) return this.layout([], []);
    const foldersBySplit = new Map<Split, readonly string[]>();
    for (const split of SPLITS) {
      if (!present.includes(split)) {
        this.report('MISSING_SPLIT', split, missingSplitMessage(split, present));
        continue;
      }
      const folders = await this.classFolders(split);
      if (folders !== null) foldersBySplit.set(split, folders);
    }
    const classes = this.match(foldersBySplit);
    const files: ImageFile[] = [];
    for (const [split, names] of foldersBySplit) {
      for (const { name: className, folders } of classes) {
        const folder = folders.get(split);
        if (folder !== undefined) files.push(...(await this.imagesOf(`${split}/${folder}`, className, split)));
        else this.report('CLASS_MISSING', `${split}/${className}`, missingClassMessage(split, className, names));
      }
    }
    return this.layout(classes, files);
  }

  async readFlat(): Promise<DatasetLayout> {
    const names = await this.classFolders('');
    if (names === null) return this.layout([], []);
    if (SPLITS.every((split) => names.includes(split))) {
      const message = 'The folder contains train, validation and test: omit the split fractions to use them.';
      this.report('CLASS_MISSING', '', message);
      return this.layout([], []);
    }
    const classes = this.match(new Map([['', names]]));
    const files: ImageFile[] = [];
    for (const { name, folders } of classes) {
      files.push(...(await this.imagesOf(folders.get('') ?? name, name, null)));
    }
    return this.layout(classes, files);
  }

  private match(foldersByPlace: ReadonlyMap<string, readonly string[]>): readonly FoundClass[] {
    const { classes, problems } = matchClasses(foldersByPlace);
    this.problems.push(...problems);
    return classes;
  }

  private layout(classes: readonly FoundClass[], files: readonly ImageFile[]): DatasetLayout {
    const classNames = classes.map(({ name }) => name);
    if (classNames.length === 1 || (classNames.length === 0 && !this.hasFatal())) {
      const found = classNames.length === 0 ? 'none was found' : `only "${classNames[0] ?? ''}" was found`;
      this.report('CLASS_MISSING', '', `A data set needs at least two class folders; ${found}.`);
    }
    this.reportLeftovers();
    return { classNames, files, problems: this.problems };
  }

  private hasFatal(since = 0): boolean {
    return this.problems.slice(since).some(({ fatal }) => fatal);
  }

  private async imagesOf(folder: string, className: string, split: Split | null): Promise<readonly ImageFile[]> {
    const before = this.problems.length;
    const paths = await this.walk(folder);
    // If another problem is already fatal, it is the cause of the missing images.
    if (paths.length === 0 && !this.hasFatal(before)) {
      const left = this.problems.length - before;
      const others = left === 0 ? '' : ` (${left} ${left === 1 ? 'entry is' : 'entries are'} left out)`;
      const message = `Class folder "${folder}" has no image (.jpg, .jpeg, .png, .bmp or .gif)${others}. Add some, or remove the folder.`;
      this.report('EMPTY_CLASS', folder, message);
    }
    return paths.map((path) => ({ path, className, split }));
  }

  /** Walks in Keras' order: folders sorted by path, files sorted by name within each. */
  private async walk(folder: string): Promise<readonly string[]> {
    const folders = [Buffer.from(folder)];
    const files: (readonly [Buffer, readonly Buffer[]])[] = [];
    for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
      const paths: Buffer[] = [];
      for (const { name, kind } of (await this.entries(current, () => true)) ?? []) {
        const path = Buffer.concat([current, Buffer.from('/'), name]);
        if (kind === 'folder') folders.push(path);
        else if (kind === 'folder-link') this.reportLink(path);
        else if (this.isImage(path, name, kind)) paths.push(path);
      }
      files.push([current, paths.sort((a, b) => Buffer.compare(a, b))]);
    }
    files.sort(([a], [b]) => Buffer.compare(a, b));
    return files.flatMap(([, paths]) => paths.map((path) => path.toString('utf8')));
  }

  /**
   * Returns whether a file, or a link to one, is read as an image. A broken link is, so that reading it reports the
   * problem.
   */
  private isImage(path: Buffer, name: Buffer, kind: FolderEntry['kind']): boolean {
    const shown = showName(path);
    const byName = fileKind(name.toString('utf8'));
    if (byName === 'hidden') return false;
    if (kind === 'special') {
      // Reading a pipe would block forever.
      const message = `"${shown}" is a pipe, socket or device, not a file; remove it, or set skip_bad_files.`;
      this.report('UNREADABLE', shown, message, !this.skipBadFiles);
      return false;
    }
    if (byName === 'other') {
      this.report('UNSUPPORTED_FORMAT', shown, `"${shown}" has no extension of an image and is left out.`, false);
      return false;
    }
    if (byName === 'other-image') {
      const message = `"${shown}" has a format that is not supported (read are ${READ_FORMATS}, as in Keras); convert it to JPEG or PNG, or set skip_bad_files.`;
      this.report('UNSUPPORTED_FORMAT', shown, message, !this.skipBadFiles);
      return false;
    }
    if (isUtf8(path)) return true;
    const message = `"${shown}" has a name that is not UTF-8 and is left out; rename it to use it.`;
    this.report('UNREADABLE', shown, message, false);
    return false;
  }

  private reportLink(path: Buffer): void {
    const shown = showName(path);
    this.report('LEFT_OUT', shown, `"${shown}" is a link to a folder inside a class, which is not followed.`, false);
  }

  private reportLeftovers(): void {
    if (this.leftovers.size === 0) return;
    const names = [...this.leftovers].sort(([a], [b]) => compareText(a, b));
    const listed = names
      .slice(0, LISTED_LEFTOVERS)
      .map(([name, count]) => (count === 1 ? name : `${name} (${count} times)`));
    const more = names.length > listed.length ? ` and ${names.length - listed.length} more` : '';
    const message = `Left out as leftovers of operating systems and tools: ${listed.join(', ')}${more}.`;
    this.report('LEFT_OUT', '', message, false);
  }

  /** Returns the names of the class folders within a folder, sorted; null if it can't be read. */
  private async classFolders(path: string): Promise<readonly string[] | null> {
    const entries = await this.entries(Buffer.from(path), () => true);
    if (entries === null) return null;
    const names: string[] = [];
    for (const { name, kind } of entries) {
      // Keras leaves them out, too.
      if (name.toString('latin1').startsWith('.')) continue;
      const shown = showName(path === '' ? name : Buffer.concat([Buffer.from(`${path}/`), name]));
      if (kind === 'folder' || kind === 'folder-link') {
        const problem = isUtf8(name) ? controlProblem(name.toString('utf8')) : 'is not UTF-8: rename it.';
        if (problem === null) names.push(name.toString('utf8'));
        else this.report('UNREADABLE', shown, `The name of folder "${shown}" ${problem}`);
      } else if (kind === 'broken-link') {
        this.report('UNREADABLE', shown, `"${shown}" is a broken link and is left out.`, false);
      } else if (kind === 'unfollowed-link') {
        this.report('UNREADABLE', shown, `"${shown}" is a link whose name is not UTF-8 and is left out.`, false);
      }
    }
    return names.sort(compareText);
  }

  /**
   * Returns the names of the top-level folders, sorted; null if the root can't be read. A link is followed only if it
   * has the name of a split.
   */
  private async topFolders(): Promise<readonly string[] | null> {
    const isSplit = (name: string): boolean => SPLITS.some((split) => split === name);
    const entries = await this.entries(Buffer.alloc(0), isSplit);
    if (entries === null) return null;
    const names: string[] = [];
    for (const { name, kind } of entries) {
      const text = showName(name);
      if (kind === 'broken-link') this.report('UNREADABLE', text, `"${text}" is a broken link.`, false);
      const isFolder = kind === 'folder' || kind === 'folder-link' || kind === 'unfollowed-link';
      if (isFolder && !text.startsWith('.')) names.push(text);
    }
    return names.sort(compareText);
  }

  /** Lists a folder's entries; null if it can't be read, which is reported. */
  private async entries(path: Buffer, isFollowed: (name: string) => boolean): Promise<readonly FolderEntry[] | null> {
    const { root, dataRoot } = this;
    try {
      return await listFolder(path, { root, dataRoot, isFollowed, isWanted: (name) => this.isWanted(name) });
    } catch (error) {
      if (error instanceof PathOutsideError) throw error;
      const shown = showName(path);
      const where = shown === '' ? root : join(root, shown);
      this.report('UNREADABLE', shown, `Folder ${where}: ${folderProblem(error)}.`);
      return null;
    }
  }

  private isWanted(bytes: Buffer): boolean {
    const name = bytes.toString('utf8');
    if (!isLeftover(name)) return true;
    // macOS creates one of these for each file.
    const shown = name.startsWith('._') ? '._*' : showName(bytes);
    this.leftovers.set(shown, (this.leftovers.get(shown) ?? 0) + 1);
    return false;
  }

  private report(code: DatasetProblemCode, path: string, message: string, fatal = true): void {
    this.problems.push({ code, path, message, fatal });
  }
}

function folderProblem(error: unknown): string {
  const problem = fileProblem(error);
  if (problem === null) return `it can't be read: ${error instanceof Error ? error.message : String(error)}`;
  if (problem.kind === 'missing') return `it does not exist on this machine, ${hostname()}`;
  const isFile = error instanceof Error && 'code' in error && error.code === 'ENOTDIR';
  return isFile ? 'it is a file, not a folder' : `it ${problem.clause}`;
}

function missingSplitMessage(split: Split, present: readonly string[]): string {
  const alias = SPLIT_ALIASES[split].find((name) => present.includes(name));
  if (alias !== undefined) return `There is no folder "${split}", but "${alias}": rename it.`;
  const found = present.length === 0 ? 'no folder' : present.slice(0, 8).join(', ');
  return `There is no folder "${split}" (found: ${found}). If these are the classes, set split fractions.`;
}

function missingClassMessage(split: Split, className: string, names: readonly string[]): string {
  const alike = findAlike(className, names);
  if (alike === null) return `Split "${split}" has no folder of class "${className}", which other splits have.`;
  return (
    `Split "${split}" has no folder of class ${spell(className)}, which other splits have, but ${spell(alike)}, which differs only in ` +
    'case, blanks or the form of its characters. Rename one of them.'
  );
}
