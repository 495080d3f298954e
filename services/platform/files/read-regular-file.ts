import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** A path that leads to something that is not a file of bytes, or to one that is too large to be read into memory. */
export class NotReadableFileError extends Error {
  override readonly name = 'NotReadableFileError';
}

/** Node reads no more than 2 GiB at once; half of that is far above any picture. */
const MAX_FILE_BYTES = 2 ** 30;

/** Non-blocking, so that opening a pipe without a writer returns. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Reads a regular file. A pipe would be waited for without end, and a device may never end: neither is opened for longer than
 * it takes to see what it is.
 *
 * @throws NotReadableFileError; an error of the system, with its code.
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

/** As `readRegularFile`, without a turn of the event loop. */
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
