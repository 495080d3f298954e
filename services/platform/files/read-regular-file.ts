import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** Thrown for a path that is not a regular file, or for one that is too large to be read into memory. */
export class NotReadableFileError extends Error {
  override readonly name = 'NotReadableFileError';
}

/** Node reads no more than 2 GiB at once; half of that is far larger than any picture. */
const MAX_FILE_BYTES = 2 ** 30;

/** Non-blocking, so that opening a pipe without a writer returns. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Reads a regular file. Reading a pipe would block forever, and a device may never end: neither is opened for longer
 * than it takes to determine its type.
 *
 * @throws {NotReadableFileError} when the path is not a regular file or is too large; a system error with its code.
 */
export async function readRegularFile(path: string, maxBytes = MAX_FILE_BYTES): Promise<Buffer> {
  const file = await open(path, FLAGS);
  try {
    requireRegular(await file.stat(), maxBytes);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Reads a regular file like `readRegularFile`, but synchronously. */
export function readRegularFileSync(path: string, maxBytes = MAX_FILE_BYTES): Buffer {
  const file = openSync(path, FLAGS);
  try {
    requireRegular(fstatSync(file), maxBytes);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function requireRegular(found: Stats, maxBytes: number): void {
  if (found.isDirectory()) throw new NotReadableFileError('it is a folder');
  if (!found.isFile()) throw new NotReadableFileError('it is a pipe, socket or device, not a file');
  if (found.size <= maxBytes) return;
  const [size, most] = [found.size, maxBytes].map((bytes) => bytes.toLocaleString('en'));
  throw new NotReadableFileError(`it has ${size ?? ''} bytes, and at most ${most ?? ''} are read`);
}
