import { createHash } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
} from 'node:fs';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * Returns the hexadecimal SHA-256 of a list of strings, each preceded by its length so that different lists have different digests.
 *
 * @param {readonly (string | Uint8Array)[]} parts
 */
export function digestOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(`${part.length}:`);
    hash.update(part);
  }
  return hash.digest('hex');
}

/** @param {string} path */
export async function sha256OfFile(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/**
 * Returns one digest over the names and contents of the files below a folder, ordered by name.
 *
 * @param {string} folder
 * @param {(path: string) => boolean} wanted called with the path relative to `folder`
 */
export function digestOfFolder(folder, wanted) {
  const paths = listFiles(folder)
    .map((path) => relative(folder, path))
    .filter(wanted)
    .sort();
  return digestOf(paths.flatMap((path) => [path, readFileSync(join(folder, path))]));
}

/**
 * Returns all files below a folder, or the path itself if it is a file.
 *
 * @param {string} path
 * @returns {string[]}
 */
export function listFiles(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    return entry.isDirectory() ? listFiles(below) : [below];
  });
}

/**
 * @param {string} path
 * @returns {string | undefined} undefined if the file can't be read
 */
export function readTextIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Writes a file atomically: readers see all of it or nothing.
 *
 * @param {string} path
 * @param {string | Uint8Array} content
 */
export function writeFileAtomically(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/**
 * Points the symbolic link `link` to `target`, atomically.
 *
 * @param {string} target
 * @param {string} link
 */
export function linkFile(target, link) {
  if (linkTarget(link) === target) return;
  mkdirSync(dirname(link), { recursive: true });
  const temporary = `${link}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, link);
}

/** @param {string} link */
function linkTarget(link) {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/**
 * Builds a folder beside its final path and renames it, so that an interrupted set-up leaves nothing incomplete. Of two concurrent
 * builds, the later one discards its result.
 *
 * @template T
 * @param {string} folder final path; an existing folder is kept
 * @param {(temporary: string) => Promise<T>} build
 * @returns {Promise<T>}
 */
export async function buildFolder(folder, build) {
  mkdirSync(dirname(folder), { recursive: true });
  const temporary = mkdtempSync(`${folder}.partial-`);
  try {
    const result = await build(temporary);
    if (existsSync(folder)) return result;
    // mkdtemp creates folders with mode 0700; a cache may be shared.
    chmodSync(temporary, 0o777 & ~process.umask());
    renameSync(temporary, folder);
    return result;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
