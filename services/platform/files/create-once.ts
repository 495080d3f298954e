import { randomUUID } from 'node:crypto';
import { closeSync, linkSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { NO_LINK_CODES, errorCode } from './error-code.ts';

/**
 * Creates a file with its content; of two processes, one succeeds. Readers see all of the content or no file, except on file systems
 * without hard links, where they may see a part of it for a moment.
 *
 * @returns false when the file exists
 */
export function createOnce(path: string, content: string, mode = 0o644): boolean {
  const options = { flag: 'wx', mode, flush: true } as const;
  // With the same extension, so that readers of the folder that skip such files skip it.
  const prepared = `${path}.${randomUUID()}${extname(path)}`;
  try {
    writeFileSync(prepared, content, options);
    linkSync(prepared, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (!NO_LINK_CODES.has(errorCode(error))) throw error;
  } finally {
    rmSync(prepared, { force: true });
  }
  return createInPlace(path, content, mode);
}

/** Creates a file that readers may see before it has its content. */
function createInPlace(path: string, content: string, mode: number): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', mode);
  } catch (error) {
    // Without the file open, the path may be another process' file.
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
  try {
    writeFileSync(file, content, { flush: true });
    return true;
  } catch (error) {
    // Disk full: half a file would count as one that exists.
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
