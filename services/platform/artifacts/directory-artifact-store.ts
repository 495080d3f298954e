import { createHash } from 'node:crypto';
import { mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ArtifactMissingError } from '../../core/errors.ts';
import { ArtifactSpaceError, ArtifactUriError } from './artifact-store.ts';
import type { ArtifactStore, ListedArtifact, StoredArtifact } from './artifact-store.ts';

const SPACE_ERROR_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

let temporaryFileCount = 0;

/** The artifact store as a folder, which may lie on a file system shared by all trainers and coordinators. */
export class DirectoryArtifactStore implements ArtifactStore {
  readonly root: string;

  /** @param root created at the first write */
  constructor(root: string) {
    this.root = resolve(root);
  }

  write(uri: string, bytes: Uint8Array): Promise<StoredArtifact> {
    return this.writeStream(uri, [bytes]);
  }

  async writeStream(uri: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredArtifact> {
    const path = this.localPath(uri);
    // Machines share the folder, so the name must differ between hosts as well as between processes.
    const temporaryPath = `${path}.${hostname()}-${process.pid}-${temporaryFileCount++}.tmp`;
    try {
      await mkdir(dirname(path), { recursive: true });
      const written = await writeAndSync(temporaryPath, chunks);
      await rename(temporaryPath, path);
      await syncFolder(dirname(path));
      return { uri, ...written };
    } catch (error) {
      await rm(temporaryPath, { force: true });
      throw SPACE_ERROR_CODES.has(errorCode(error)) ? new ArtifactSpaceError(uri, this.root, error) : error;
    }
  }

  async read(uri: string): Promise<Buffer> {
    try {
      return await readFile(this.localPath(uri));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      throw new ArtifactMissingError(
        uri,
        `is not in the artifact store (${this.root}); trainers on several machines must all see the same folder`,
      );
    }
  }

  async stat(uri: string): Promise<{ readonly sizeBytes: number } | null> {
    try {
      return { sizeBytes: (await stat(this.localPath(uri))).size };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  async remove(uri: string): Promise<void> {
    await rm(this.localPath(uri), { force: true });
  }

  list(): AsyncIterable<ListedArtifact> {
    return listFolder(this.root, '');
  }

  localPath(uri: string): string {
    const parts = uri.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]|^[a-zA-Z]:/.test(uri)) {
      throw new ArtifactUriError(uri);
    }
    return join(this.root, ...parts);
  }
}

async function* listFolder(folder: string, prefix: string): AsyncGenerator<ListedArtifact> {
  try {
    for await (const entry of await opendir(folder)) {
      const uri = `${prefix}${entry.name}`;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) yield* listFolder(path, `${uri}/`);
      if (!entry.isFile()) continue;
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: null }));
      if (mtimeMs !== null) yield { uri, ageMs: Date.now() - mtimeMs, isTemporary: uri.endsWith('.tmp') };
    }
  } catch (error) {
    // The folder is not there yet, or no longer.
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function writeAndSync(
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await using file = await open(path, 'wx');
  for await (const chunk of chunks) {
    hash.update(chunk);
    sizeBytes += chunk.byteLength;
    await writeAll(file, chunk);
  }
  await file.sync();
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < chunk.byteLength) {
    // One write call moves at most 2 GiB on Linux and may move less on a full disk before it fails.
    const { bytesWritten } = await file.write(chunk, offset, Math.min(chunk.byteLength - offset, 1 << 30));
    offset += bytesWritten;
  }
}

/** A rename is on the disk only when the folder is (fsync(2), notes). */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems can't sync a folder; their rename is durable by itself.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(errorCode(error))) throw error;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
