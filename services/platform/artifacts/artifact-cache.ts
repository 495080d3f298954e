import { createHash } from 'node:crypto';
import { constants, rmSync, statSync } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode } from '../files/error-code.ts';
import { ArtifactMissingError } from '../../core/errors.ts';
import { hashFile, hashFileOnce } from '../files/hash-file.ts';
import { identifyProcess, isAlive, isOfThisTable } from '../lifecycle/process-identity.ts';
import { tryLock } from '../lifecycle/process-lock.ts';
import type { ProcessLock } from '../lifecycle/process-lock.ts';
import { ArtifactSpaceError } from './artifact-store.ts';
import type { ArtifactStore, StoredArtifact } from './artifact-store.ts';

export interface ArtifactCacheOptions {
  readonly store: ArtifactStore;
  /** Folder of the copies; may be shared by the processes of a machine. */
  readonly folder: string;
  /** Upper limit of the copies' total size; a copy in use is kept even above it. */
  readonly maxBytes: number;
}

/** A local file with an artifact's content, valid until it is disposed. */
export interface LocalArtifact extends Disposable {
  readonly path: string;
}

/** Thrown when the bytes of a file don't match its recorded digest. */
export class ArtifactDigestError extends Error {
  override readonly name = 'ArtifactDigestError';
  readonly uri: string;

  constructor({ uri, sha256 }: StoredArtifact, actual: string) {
    super(`${uri} was registered as ${sha256}, but is ${actual} now: it was damaged or replaced.`);
    this.uri = uri;
  }
}

/** Thrown when copies are damaged immediately after writing, which means faulty disk or memory on this machine. */
class ArtifactCopyError extends Error {
  override readonly name = 'ArtifactCopyError';

  constructor({ uri }: StoredArtifact, folder: string) {
    super(
      `Copies of ${uri} in ${folder} on ${hostname()} are damaged right after they were compared with their digest. ` +
        'Check the disk and the memory of this machine, or point GRAFT_CACHE_DIR to another disk.',
    );
  }
}

/** Maximum number of copies of one artifact that one call fetches because they are damaged. */
const MOST_DAMAGED_COPIES = 3;
/** Time after its last touch during which a pin of a process of another host or container is considered live. */
const FOREIGN_PIN_MS = 2 * 3_600_000;
const TOUCH_INTERVAL_MS = 1_800_000;
/** A download that has not grown for this time has lost its process. */
const STALLED_MS = 60_000;
const LOOK_INTERVAL_MS = 100;

/** Hexadecimal SHA-256. */
const DIGEST_LENGTH = 64;
const COPY_NAME = /^[0-9a-f]{64}~(?!.*\.(part|lock)$)/;
const COPY_OR_PART = /^[0-9a-f]{64}~(?!.*\.lock$)/;
/** `<host>~<pid>-<start time>-<process table>~<number>~<digest>`; earlier versions wrote less of the process. */
const PIN_NAME = /^[^~]*~\d+(-\d*(-[0-9a-f]*)?)?~\d+~[0-9a-f]{64}$/;
let pinCount = 0;

/** Copies whose digest this process has verified, by location and identity of the content. */
const verifiedCopies = new Set<string>();

function copyName({ uri, sha256 }: StoredArtifact): string {
  return `${sha256}~${basename(uri)}`;
}

/**
 * Local copies of a remote store's files, in a folder that several processes share. Copies are named by digest and uri;
 * the least recently used are evicted first. Files of a store that is a folder of this machine are read in place.
 *
 * A copy in use is pinned by the user's own hard link: it can't disappear under the reader, and its link count tells
 * other processes that it is in use. Pins of killed processes are removed during the next eviction.
 */
export class ArtifactCache {
  readonly #options: ArtifactCacheOptions;
  readonly #pins: string;

  constructor(options: ArtifactCacheOptions) {
    this.#options = options;
    this.#pins = join(options.folder, 'pins');
  }

  /**
   * Opens the artifact's file. This process verifies the digest once, and again if the inode shows that the file may
   * have changed. A damaged copy is fetched again before the store's file is reported as damaged.
   *
   * @throws {ArtifactMissingError} when the store lacks the file; {ArtifactDigestError} when the store's file is
   * damaged; {ArtifactCopyError} when copies are damaged on this machine; {ArtifactSpaceError} when the disk is full.
   */
  async open(artifact: StoredArtifact): Promise<LocalArtifact> {
    const { store, folder } = this.#options;
    const inPlace = store.localPath(artifact.uri);
    if (inPlace !== null) {
      requireSize(artifact, await store.stat(artifact.uri));
      await requireDigest(artifact, inPlace);
      return { path: inPlace, [Symbol.dispose]: () => undefined };
    }
    await mkdir(this.#pins, { recursive: true });
    const path = join(folder, copyName(artifact));
    for (let damagedCopies = 0; ;) {
      const pinned = await this.#pin(path, artifact.sha256);
      if (pinned === null) {
        await this.#fetch(artifact, path);
        continue;
      }
      if (await isIntactCopy(artifact, pinned.path)) return pinned;
      pinned[Symbol.dispose]();
      await rm(path, { force: true });
      damagedCopies += 1;
      if (damagedCopies > MOST_DAMAGED_COPIES) throw new ArtifactCopyError(artifact, folder);
    }
  }

  /** Returns whether the store's file is as registered. Throws the other errors of `open`. */
  async isIntact(artifact: StoredArtifact): Promise<boolean> {
    try {
      (await this.open(artifact))[Symbol.dispose]();
      return true;
    } catch (error) {
      if (error instanceof ArtifactMissingError || error instanceof ArtifactDigestError) return false;
      throw error;
    }
  }

  /** Creates a hard link to the copy; null if there is no copy. */
  async #pin(path: string, sha256: string): Promise<LocalArtifact | null> {
    const { pid, startTime } = identifyProcess(process.pid);
    const owner = `${hostname()}~${pid}-${startTime}-${tableDigest()}`;
    const pin = join(this.#pins, `${owner}~${pinCount++}~${sha256}`);
    try {
      await link(path, pin);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null;
      throw error;
    }
    const touch = (): Promise<void> => markUsed(pin).catch(() => undefined);
    await touch();
    const timer = setInterval(() => void touch(), TOUCH_INTERVAL_MS).unref();
    return {
      path: pin,
      [Symbol.dispose]: () => {
        clearInterval(timer);
        rmSync(pin, { force: true });
      },
    };
  }

  /** Downloads the artifact, or waits while another process does. On return, the caller checks for the copy again. */
  async #fetch(artifact: StoredArtifact, path: string): Promise<void> {
    const partPath = `${path}.part`;
    const lock = lockDownload(partPath, `${path}.lock`);
    if (lock === null) {
      await sleep(LOOK_INTERVAL_MS);
      return;
    }
    try {
      // The previous holder may have finished between our check and our lock.
      if ((await stat(path).catch(() => null)) !== null) return;
      await this.#makeRoom(artifact.sizeBytes);
      await this.#download(artifact, partPath);
      await rename(partPath, path);
    } catch (error) {
      const isFull = ['ENOSPC', 'EDQUOT'].includes(errorCode(error));
      throw isFull ? new ArtifactSpaceError(artifact.uri, this.#options.folder, error) : error;
    } finally {
      lock.release();
    }
  }

  /** Continues where an interrupted download ended; the digest of the whole file verifies the result. */
  async #download(artifact: StoredArtifact, partPath: string): Promise<void> {
    const hash = createHash('sha256');
    await using file = await open(partPath, constants.O_RDWR | constants.O_CREAT);
    let offset = 0;
    for await (const chunk of readAll(file)) {
      hash.update(chunk);
      offset += chunk.length;
    }
    const isContinued = offset > 0;
    if (offset < artifact.sizeBytes) {
      for await (const chunk of this.#options.store.readFrom(artifact.uri, offset)) {
        hash.update(chunk);
        await writeAll(file, chunk, offset);
        offset += chunk.byteLength;
      }
    }
    await file.sync();
    const actual = hash.digest('hex');
    if (actual === artifact.sha256) {
      // A whole second, which `markUsed` preserves.
      await utimes(partPath, new Date(), new Date(Math.floor(Date.now() / 1000) * 1000));
      verifiedCopies.add(await identityOf(artifact, partPath));
      return;
    }
    await rm(partPath, { force: true });
    // The partial file may be damaged by a crash, which is not the store's fault: retry from the beginning.
    if (isContinued) await this.#download(artifact, partPath);
    else throw new ArtifactDigestError(artifact, actual);
  }

  async #makeRoom(neededBytes: number): Promise<void> {
    await this.#dropDeadPins();
    const { folder, maxBytes } = this.#options;
    const copies = [];
    for (const name of await readdir(folder)) {
      if (!COPY_OR_PART.test(name)) continue;
      const path = join(folder, name);
      const found = await lstat(path).catch(() => null);
      if (found?.isFile() !== true) continue;
      const usedAtMs = name.endsWith('.part') ? found.mtimeMs : found.atimeMs;
      copies.push({ path, sizeBytes: found.size, usedAtMs, isPinned: found.nlink > 1 });
    }
    let total = copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, neededBytes);
    copies.sort((a, b) => a.usedAtMs - b.usedAtMs);
    for (const { path, sizeBytes, isPinned, usedAtMs } of copies) {
      if (total <= maxBytes) return;
      // The partial file of a live download is recent.
      if (isPinned || (path.endsWith('.part') && Date.now() - usedAtMs < STALLED_MS)) continue;
      await rm(path, { force: true });
      total -= sizeBytes;
    }
  }

  async #dropDeadPins(): Promise<void> {
    for (const name of await readdir(this.#pins)) {
      // Files that others have placed here are not ours to delete.
      if (!PIN_NAME.test(name)) continue;
      const path = join(this.#pins, name);
      const found = await lstat(path).catch(() => null);
      if (found?.isFile() === true && !isOwnerAlive(name, found.atimeMs)) await rm(path, { force: true });
    }
  }
}

/** Returns the folder of the copies within a machine's cache folder. */
export function artifactCacheFolder(cacheDir: string): string {
  return join(cacheDir, 'artifacts');
}

/** Returns the last path parts of the uris that have a copy in a cache's folder. */
export async function copiedNames(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => (COPY_NAME.test(name) ? [name.slice(DIGEST_LENGTH + 1)] : []));
}

/** Verifies a digest once. Hashing takes 0.5 to 1 s per GB, which consecutive tasks on one file need not repeat. */
async function requireDigest(artifact: StoredArtifact, path: string): Promise<void> {
  const actual = await hashFileOnce(path, 'sha256');
  if (actual !== artifact.sha256) throw new ArtifactDigestError(artifact, actual);
}

async function isIntactCopy(artifact: StoredArtifact, pin: string): Promise<boolean> {
  const identity = await identityOf(artifact, pin);
  if (verifiedCopies.has(identity)) return true;
  if ((await hashFile(pin, 'sha256')) !== artifact.sha256) return false;
  verifiedCopies.add(identity);
  return true;
}

/** Identifies a copy's content. The ctime is unsuitable, because each pin's link changes it. */
async function identityOf({ sha256 }: StoredArtifact, path: string): Promise<string> {
  const { dev, ino, size, mtimeMs } = await stat(path);
  return [sha256, dev, ino, size, mtimeMs].join(' ');
}

/**
 * Marks a copy as used now through its access time; a pin shares the copy's inode. The modification time is preserved,
 * because it reveals writes to the copy.
 */
async function markUsed(pin: string): Promise<void> {
  const { mtime } = await stat(pin);
  await utimes(pin, new Date(), mtime);
}

function requireSize(artifact: StoredArtifact, found: { readonly sizeBytes: number } | null): void {
  if (found === null) {
    throw new ArtifactMissingError(artifact.uri, 'is not in the artifact store. All trainers must share one store');
  }
  if (found.sizeBytes !== artifact.sizeBytes) {
    const problem = `has ${found.sizeBytes} bytes instead of ${artifact.sizeBytes}`;
    throw new ArtifactMissingError(artifact.uri, problem);
  }
}

/**
 * Takes the lock of a download; null when another download runs. The lock of a process on another machine, of an earlier version, or of
 * a process that hangs, is taken over when the part has stopped growing. If that process resumes, both write the same bytes to the same
 * places, and one rename is enough.
 */
function lockDownload(partPath: string, lockPath: string): ProcessLock | null {
  return tryLock(lockPath, {
    isStale: (holder) => {
      if (holder !== null && isOfThisTable(holder) && !isAlive(holder)) return true;
      const times = [lockPath, partPath].flatMap((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? []);
      return Date.now() - Math.max(...times) > STALLED_MS;
    },
  });
}

/**
 * Returns whether the process that a pin names still runs. Processes of another host or container can't be seen from here, even if a
 * container has the same host name: their pins live until they are not touched any more.
 *
 * @param touchedAtMs last use of the pin
 */
function isOwnerAlive(pin: string, touchedAtMs: number): boolean {
  const [host, process = ''] = pin.split('~');
  const [pid, startTime, table] = process.split('-');
  if (host === hostname() && table === tableDigest()) return isAlive({ pid: Number(pid), startTime: startTime ?? '' });
  return Date.now() - touchedAtMs < FOREIGN_PIN_MS;
}

/** Returns a short name of this machine's or container's process table. */
function tableDigest(): string {
  return createHash('sha256')
    .update(identifyProcess(process.pid).processTable ?? '')
    .digest('hex')
    .slice(0, 12);
}

async function* readAll(file: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < chunk.byteLength;) {
    done += (await file.write(chunk, done, chunk.byteLength - done, offset + done)).bytesWritten;
  }
}
