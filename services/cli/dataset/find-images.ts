import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import process from 'node:process';
import { glob } from 'tinyglobby';
import { fileKind, READ_FORMATS } from '../../core/file-kind.ts';
import { MissingError } from '../terminal/cli-errors.ts';
import { readStream, STANDARD_STREAM } from '../terminal/standard-stream.ts';
import type { ByteStream } from '../terminal/standard-stream.ts';

/** Maximum size of a list of paths: a million of them. */
const MAX_LIST_BYTES = 256 * 2 ** 20;

export interface FoundImages {
  /** Paths relative to the current folder if they were given so, each once: in the order of the arguments, then sorted. */
  readonly paths: readonly string[];
  /** Number of files in folders and of patterns that are left out, because their names are not those of images. */
  readonly leftOut: number;
  /** Links to folders inside the named ones, which are not entered: they may lead in a circle. */
  readonly folderLinks: readonly string[];
}

/**
 * Finds image files by path, by folder (with all folders in it) and by pattern (`*`, `?`, `[…]`, `{a,b}`, `**`), which the shell
 * may have left to us. `-` reads paths from standard input, one a line or ended by NUL; none of them is a pattern. A path that does
 * not exist is kept, as is a link to nowhere: its prediction reports the problem.
 *
 * @throws MissingError for a folder or pattern without an image.
 */
export async function findImages(
  named: readonly string[],
  cwd: string,
  stdin: ByteStream = process.stdin,
): Promise<FoundImages> {
  const paths = new Set<string>();
  const folderLinks = new Set<string>();
  let leftOut = 0;
  for (const argument of await withListed(named, stdin)) {
    const found = await expand(argument, cwd);
    for (const link of found.folderLinks) folderLinks.add(link);
    const images = found.isNamed ? found.files : found.files.filter(isImageName);
    leftOut += found.files.length - images.length;
    if (images.length === 0) throw new MissingError(nothingIn(argument.name, found));
    for (const image of images) paths.add(image);
  }
  if (paths.size === 0) throw new MissingError('Standard input names no image. Give one path a line.');
  return { paths: [...paths], leftOut, folderLinks: [...folderLinks] };
}

interface Argument {
  readonly name: string;
  readonly mayBePattern: boolean;
}

interface FolderContent {
  readonly files: readonly string[];
  readonly folderLinks: readonly string[];
}

interface Expanded extends FolderContent {
  /** True for a single file that was named as such. */
  readonly isNamed: boolean;
}

async function withListed(named: readonly string[], stdin: ByteStream): Promise<readonly Argument[]> {
  const listed = named.includes(STANDARD_STREAM) ? await readList(stdin) : [];
  return named.flatMap((name) => (name === STANDARD_STREAM ? listed : [{ name, mayBePattern: true }]));
}

async function readList(stdin: ByteStream): Promise<readonly Argument[]> {
  const text = (await readStream(stdin, MAX_LIST_BYTES)).toString('utf8');
  const paths = text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((path) => path !== '');
  return paths.map((name) => ({ name, mayBePattern: false }));
}

async function expand({ name, mayBePattern }: Argument, cwd: string): Promise<Expanded> {
  const found = statSync(resolve(cwd, name), { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return { ...(await contentOf([name], cwd)), isNamed: false };
  const isPattern = found === undefined && mayBePattern && /[*?[{]/.test(name);
  if (!isPattern) return { files: [name], folderLinks: [], isNamed: true };
  const common = { cwd, dot: false, expandDirectories: false, absolute: isAbsolute(name) };
  const files = await glob(name, common);
  if (files.length > 0) return { files: files.sort(), folderLinks: [], isNamed: false };
  const folders = await glob(name, { ...common, onlyDirectories: true });
  return { ...(await contentOf(folders.sort(), cwd)), isNamed: false };
}

/** Lists the files of folders and of all folders in them, except those whose names begin with a dot. */
async function contentOf(folders: readonly string[], cwd: string): Promise<FolderContent> {
  const files: string[] = [];
  const folderLinks: string[] = [];
  const walk = async (folder: string, into: string[]): Promise<void> => {
    for (const entry of await readdir(resolve(cwd, folder), { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path, into);
      else if (entry.isSymbolicLink() && isFolder(resolve(cwd, path))) folderLinks.push(path);
      else into.push(path);
    }
  };
  for (const folder of folders) {
    const inside: string[] = [];
    await walk(folder, inside);
    for (const file of inside.sort()) files.push(file);
  }
  return { files, folderLinks: folderLinks.sort() };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Returns whether a file in a folder is classified; one in a format that is not read is reported, not left out. */
function isImageName(path: string): boolean {
  const kind = fileKind(path.slice(path.lastIndexOf('/') + 1));
  return kind === 'image' || kind === 'other-image';
}

function nothingIn(name: string, { files }: Expanded): string {
  const others =
    files.length === 0 ? '' : `, only ${files.length === 1 ? 'another file' : `${files.length} other files`}`;
  return `${name} names no image${others}. Images have the endings of ${READ_FORMATS}: .jpg, .jpeg, .png, .bmp or .gif.`;
}
