/** A file in the artifact store. */
export interface StoredArtifact {
  /** Relative path with `/`, for example `checkpoints/<runId>/head-0012-best-3.safetensors`. */
  readonly uri: string;
  readonly sizeBytes: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

/** A file in the store, or one that is being written. */
export interface ListedArtifact {
  readonly uri: string;
  /** Milliseconds since the last write, by the clocks of this machine and of the disk. */
  readonly ageMs: number;
  /** true for an incomplete file: one being written, or left behind by a killed writer. */
  readonly isTemporary: boolean;
}

/**
 * Storage of features, manifests and checkpoints. A uri is a relative path with `/` as separator; no part may be empty,
 * `.` or `..`. Writes are atomic, even across a crash, and durable when they return. A file is written once: a second
 * write with the same bytes succeeds, one with other bytes fails. Every implementation passes
 * `test/contract/artifact-store.test.ts`.
 */
export interface ArtifactStore {
  /** The folder, or `s3://<bucket>/<prefix>`; for messages. */
  readonly place: string;
  /**
   * Writes a file.
   *
   * @throws {ArtifactUriError} for a uri outside the store; {ArtifactExistsError} when the uri has other bytes;
   * {ArtifactSpaceError} when the disk is full; {ArtifactUnwritableError} when the store can't be written.
   */
  write(uri: string, bytes: Uint8Array): Promise<StoredArtifact>;
  /** Writes content that does not fit in memory; stores nothing if `chunks` throws. Throws the errors of `write`. */
  writeStream(uri: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredArtifact>;
  /** Reads a whole file. Throws {ArtifactMissingError} (`core/errors.ts`) or {ArtifactUnreachableError}. */
  read(uri: string): Promise<Buffer>;
  /**
   * Reads the bytes from `offset` in chunks that the caller owns; an interrupted reader resumes at its offset.
   *
   * @throws {ArtifactMissingError} at the first chunk; {ArtifactUnreachableError} when the store can't be read.
   */
  readFrom(uri: string, offset: number): AsyncIterable<Uint8Array>;
  /** Returns the size in bytes, or null if there is no such file. Throws {ArtifactUnreachableError}. */
  stat(uri: string): Promise<{ readonly sizeBytes: number } | null>;
  /**
   * Removes the file; does nothing if it does not exist.
   *
   * @throws {ArtifactNotOwnError} for anything that is not a regular file of this store.
   */
  remove(uri: string): Promise<void>;
  /** Lists all files in no particular order. Concurrent creations and removals may or may not be included. */
  list(): AsyncIterable<ListedArtifact>;
  /**
   * Returns the path for reading in place if the store is a folder of this machine; else null. The file need not exist.
   */
  localPath(uri: string): string | null;
}

export class ArtifactUriError extends Error {
  override readonly name = 'ArtifactUriError';
  readonly uri: string;

  constructor(uri: string) {
    super(
      `uri is ${JSON.stringify(uri)}, but the artifact store takes relative paths inside it, such as ` +
        '"checkpoints/run/head-0001-best-1.safetensors": no leading "/", no backslash, no empty part, no "." or "..".',
    );
    this.uri = uri;
  }
}

export class ArtifactSpaceError extends Error {
  override readonly name = 'ArtifactSpaceError';
  readonly uri: string;

  constructor(uri: string, root: string, cause: unknown) {
    super(
      `The disk of the artifact store (${root}) is full: ${uri} could not be written, and no partial file remains. ` +
        'Free some space there, or move the store to a larger disk.',
      { cause },
    );
    this.uri = uri;
  }
}

/** Thrown when the store can't be written: read-only, without permission, unreachable or broken. */
export class ArtifactUnwritableError extends Error {
  override readonly name = 'ArtifactUnwritableError';
  readonly uri: string;

  /** @param remedy a sentence that tells the operator what to do. */
  constructor(uri: string, place: string, cause: Error, remedy: string) {
    super(
      `The artifact store (${place}) can't be written: ${cause.message}. No partial file of ${uri} remains. ${remedy}`,
      { cause },
    );
    this.uri = uri;
  }
}

/** Thrown when the store does not reply, or fails to return what it holds. */
export class ArtifactUnreachableError extends Error {
  override readonly name = 'ArtifactUnreachableError';
  readonly uri: string;

  /** @param remedy a sentence that tells the operator what to do. */
  constructor(uri: string, place: string, cause: unknown, remedy: string) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`The artifact store (${place}) can't be read: ${why}. The request was for ${uri}. ${remedy}`, { cause });
    this.uri = uri;
  }
}

/** Thrown for a link, a folder, a device, or a file behind a linked folder: none of these was written by a store. */
export class ArtifactNotOwnError extends Error {
  override readonly name = 'ArtifactNotOwnError';
  readonly uri: string;

  constructor(uri: string, place: string, what: string) {
    super(`${uri} is ${what}, not a file that the artifact store (${place}) has written, and is not removed.`);
    this.uri = uri;
  }
}

export class ArtifactExistsError extends Error {
  override readonly name = 'ArtifactExistsError';
  readonly uri: string;

  constructor(uri: string, place: string) {
    super(
      `${uri} already exists in the artifact store (${place}) with other bytes, and stored files never change. ` +
        'If it is damaged, remove it there; it is then written again.',
    );
    this.uri = uri;
  }
}

/** Splits a uri into its parts. Throws {ArtifactUriError} when it is not a relative path inside the store. */
export function splitUri(uri: string): readonly string[] {
  const parts = uri.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]|^[a-zA-Z]:/.test(uri)) {
    throw new ArtifactUriError(uri);
  }
  return parts;
}
