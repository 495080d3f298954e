import { statSync } from 'node:fs';
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
}

/**
 * Finds image files by path, by folder (with all folders in it) and by pattern (`*`, `?`, `[…]`, `{a,b}`, `**`), which the shell
 * may have left to us. `-` reads paths from standard input, one a line or ended by NUL. A path that does not exist is kept: its
 * prediction reports the problem.
 *
 * @throws MissingError for a folder or pattern without an image.
 */
export async function findImages(
  named: readonly string[],
  cwd: string,
  stdin: ByteStream = process.stdin,
): Promise<FoundImages> {
  const paths = new Set<string>();
  let leftOut = 0;
  for (const name of await withListed(named, stdin)) {
    const found = await expand(name, cwd);
    const images = found.isNamed ? found.files : found.files.filter(isImageName);
    leftOut += found.files.length - images.length;
    if (images.length === 0) throw new MissingError(nothingIn(name, found));
    for (const image of images) paths.add(image);
  }
  if (paths.size === 0) throw new MissingError('Standard input names no image. Give one path a line.');
  return { paths: [...paths], leftOut };
}

interface Expanded {
  readonly files: readonly string[];
  /** True for a single file that was named as such. */
  readonly isNamed: boolean;
}

async function withListed(named: readonly string[], stdin: ByteStream): Promise<readonly string[]> {
  if (!named.includes(STANDARD_STREAM)) return named;
  const text = (await readStream(stdin, MAX_LIST_BYTES)).toString('utf8');
  const listed = text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((path) => path !== '');
  return named.flatMap((name) => (name === STANDARD_STREAM ? listed : [name]));
}

async function expand(name: string, cwd: string): Promise<Expanded> {
  const found = statSync(resolve(cwd, name), { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return { files: await filesIn(name, cwd), isNamed: false };
  if (found !== undefined || !/[*?[{]/.test(name)) return { files: [name], isNamed: true };
  const common = { cwd, dot: false, expandDirectories: false, absolute: isAbsolute(name) };
  const files = await glob(name, common);
  if (files.length > 0) return { files: files.sort(), isNamed: false };
  const folders = (await glob(name, { ...common, onlyDirectories: true })).sort();
  const inside = await Promise.all(folders.map((folder) => filesIn(folder, cwd)));
  return { files: inside.flat(), isNamed: false };
}

async function filesIn(folder: string, cwd: string): Promise<readonly string[]> {
  const files = await glob('**', { cwd: resolve(cwd, folder), dot: false, followSymbolicLinks: false });
  return files.sort().map((file) => join(folder, file));
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
