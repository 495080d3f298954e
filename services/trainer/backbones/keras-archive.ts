import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { BackboneError } from './backbone.ts';

const WEIGHTS_MEMBER = 'model.weights.h5';

/**
 * Takes the weights out of a `.keras` archive into a temporary file, for the time that `read` takes.
 *
 * @param read gets the temporary file's path.
 * @throws BackboneError when the file is no such archive.
 */
export async function withArchivedWeights<T>(
  path: string,
  backbone: string,
  read: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-weights-'));
  try {
    const extracted = join(folder, WEIGHTS_MEMBER);
    await extract(path, backbone, extracted);
    return await read(extracted);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function extract(path: string, backbone: string, target: string): Promise<void> {
  const archive = await openPromise(path, { lazyEntries: true, autoClose: false }).catch((error: unknown) => {
    throw archiveError(path, backbone, `it is not a ZIP archive, or truncated (${textOf(error)})`);
  });
  try {
    const weights = await findWeights(archive);
    if (weights !== null) {
      await pipeline(await archive.openReadStreamPromise(weights), createWriteStream(target));
      return;
    }
  } catch (error) {
    throw archiveError(path, backbone, `it is damaged (${textOf(error)})`);
  } finally {
    archive.close();
  }
  throw archiveError(path, backbone, `it has no ${WEIGHTS_MEMBER}`);
}

async function findWeights(archive: ZipFile): Promise<Entry | null> {
  for await (const entry of archive.eachEntry()) if (entry.fileName === WEIGHTS_MEMBER) return entry;
  return null;
}

function archiveError(path: string, backbone: string, problem: string): BackboneError {
  return new BackboneError(`${path} doesn't hold weights of ${backbone}: ${problem}.`, { backbone });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
