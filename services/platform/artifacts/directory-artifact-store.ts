import { createHash } from 'node:crypto';
import {
  access,
  constants,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve, sep } from 'node:path';
import { NO_LINK_CODES, errorCode } from '../files/error-code.ts';
import { ArtifactMissingError } from '../../core/errors.ts';
import { hashFile } from '../files/hash-file.ts';
import { failpoint } from '../lifecycle/failpoint.ts';
import {
  ArtifactExistsError,
  ArtifactNotOwnError,
  ArtifactSpaceError,
  ArtifactUnreachableError,
  ArtifactUnwritableError,
  splitUri,
} from './artifact-store.ts';
import type { ArtifactStore, ListedArtifact, StoredArtifact } from './artifact-store.ts';

/** EFBIG: a quota on the process. */
const SPACE_ERROR_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const UNWRITABLE_CODES: ReadonlySet<string> = new Set(['EROFS', 'EACCES', 'EPERM', 'EIO']);
/** Error codes of a disk or network file system that is unavailable, or that this user may not read. */
const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  ...['EACCES', 'EPERM', 'EIO', 'ESTALE', 'ENOTCONN', 'ENODEV', 'ENXIO', 'EHOSTDOWN', 'EREMOTEIO', 'ETIMEDOUT'],
  // A part of the path is not a folder.
  'ENOTDIR',
]);
const READ_REMEDY = 'Mount it, and give the user of the trainers the right to read it.';
const WRITE_REMEDY = 'Mount it for writing, and give the user of the trainers the right to write there.';
const READ_BYTES = 1 << 20;

/** Failpoint names by the first folder of a uri. */
const FAILPOINT_KINDS = new Map([
  ['checkpoints', 'checkpoint'],
  ['datasets', 'manifest'],
  ['features', 'features'],
] as const);

let temporaryFileCount = 0;

/** An artifact store in a folder, which may be on a file system shared by all trainers and coordinators. */
export class DirectoryArtifactStore implements ArtifactStore {
  readonly root: string;

  /** @param root created by the first write. */
  constructor(root: string) {
    this.root = resolve(root);
  }

  get place(): string {
    return this.root;
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
      passPoint(uri, 'written');
      if (!(await publish(temporaryPath, path)) && !(await hasBytes(path, written))) {
        throw new ArtifactExistsError(uri, this.root);
      }
      await syncFolder(dirname(path));
      passPoint(uri, 'named');
      return { uri, ...written };
    } catch (error) {
      throw await this.#writeError(error, uri);
    } finally {
      // Fails on a disk that has become read-only; orphan removal then deletes the file.
      await rm(temporaryPath, { force: true }).catch(() => undefined);
    }
  }

  async read(uri: string): Promise<Buffer> {
    try {
      return await readFile(this.localPath(uri));
    } catch (error) {
      throw this.#missingOr(error, uri);
    }
  }

  async *readFrom(uri: string, offset: number): AsyncGenerator<Uint8Array> {
    await using file = await open(this.localPath(uri), 'r').catch((error: unknown) => {
      throw this.#missingOr(error, uri);
    });
    for (let position = offset; ;) {
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position).catch((error: unknown) => {
        throw this.#missingOr(error, uri);
      });
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async stat(uri: string): Promise<{ readonly sizeBytes: number } | null> {
    try {
      return { sizeBytes: (await stat(this.localPath(uri))).size };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null;
      throw this.#missingOr(error, uri);
    }
  }

  async remove(uri: string): Promise<void> {
    const path = this.localPath(uri);
    let folder: string;
    let root: string;
    try {
      if (!(await lstat(path)).isFile()) throw new ArtifactNotOwnError(uri, this.root, 'a link, a folder or a device');
      [folder, root] = await Promise.all([realpath(dirname(path)), realpath(this.root)]);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    // If a link leads out of the store, the ownership of the files is unknown.
    if (folder !== root && !folder.startsWith(`${root}${root.endsWith(sep) ? '' : sep}`)) {
      throw new ArtifactNotOwnError(uri, this.root, `in ${folder}, which is reached through a link`);
    }
    await rm(path, { force: true });
  }

  list(): AsyncIterable<ListedArtifact> {
    return listFolder(this.root, '');
  }

  localPath(uri: string): string {
    return join(this.root, ...splitUri(uri));
  }

  async #writeError(error: unknown, uri: string): Promise<unknown> {
    if (SPACE_ERROR_CODES.has(errorCode(error))) return new ArtifactSpaceError(uri, this.root, error);
    // The producer of the chunks may fail on files of its own.
    const { path = this.root } = error as NodeJS.ErrnoException;
    if (!path.startsWith(this.root)) return error;
    // Node 20 reports ENOENT when it can't create a folder on a read-only file system.
    const cause = errorCode(error) === 'ENOENT' ? await access(this.root, constants.W_OK).catch(same) : error;
    const isUnwritable = cause instanceof Error && UNWRITABLE_CODES.has(errorCode(cause));
    return isUnwritable ? new ArtifactUnwritableError(uri, this.root, cause, WRITE_REMEDY) : error;
  }

  #missingOr(error: unknown, uri: string): unknown {
    if (UNREACHABLE_CODES.has(errorCode(error))) {
      return new ArtifactUnreachableError(uri, this.root, error, READ_REMEDY);
    }
    if (errorCode(error) !== 'ENOENT') return error;
    return new ArtifactMissingError(
      uri,
      `is not in the artifact store (${this.root}); trainers on several machines must all see the same folder`,
    );
  }
}

function passPoint(uri: string, step: 'written' | 'named'): void {
  const [folder = ''] = uri.split('/');
  const kind = FAILPOINT_KINDS.get(folder as 'checkpoints');
  if (kind !== undefined) failpoint(`${kind}.${step}`);
}

/**
 * Gives a finished file its final name; returns false if another file has it. link(2) never replaces. Without hard
 * links, two concurrent writers both succeed, and the last one's file remains.
 */
async function publish(temporaryPath: string, path: string): Promise<boolean> {
  try {
    await link(temporaryPath, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    if (!NO_LINK_CODES.has(errorCode(error))) throw error;
  }
  if ((await stat(path).catch(() => null)) !== null) return false;
  await rename(temporaryPath, path);
  return true;
}

async function hasBytes(
  path: string,
  written: { readonly sizeBytes: number; readonly sha256: string },
): Promise<boolean> {
  return (await stat(path)).size === written.sizeBytes && (await hashFile(path, 'sha256')) === written.sha256;
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
    // The folder does not exist yet, or was removed.
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
    // One write call transfers at most 2 GiB on Linux, and may transfer less on a full disk before it fails.
    const { bytesWritten } = await file.write(chunk, offset, Math.min(chunk.byteLength - offset, 1 << 30));
    offset += bytesWritten;
  }
}

/** Syncs a folder: a rename is durable only after that (fsync(2), notes). */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems can't sync a folder; their renames are durable without it.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(errorCode(error))) throw error;
  }
}

function same(error: unknown): unknown {
  return error;
}
