/** A file as it lies in the store. */
export interface StoredArtifact {
  /** Relative path with `/`, for example `checkpoints/<runId>/head-0012-best-3.safetensors`. */
  readonly uri: string;
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** A file of the store, or one that is being written. */
export interface ListedArtifact {
  readonly uri: string;
  /** Since it was last written to, by the clocks of this machine and of the disk. */
  readonly ageMs: number;
  /** Not whole: being written, or left behind by a writer that was killed. */
  readonly isTemporary: boolean;
}

/**
 * Where features, manifests and checkpoints are kept. A uri is a relative path with `/` as separator; no part may be empty,
 * `.` or `..`. A file is there entirely or not at all, also after a crash, and is durable when a write returns. It is written
 * once: who comes later with the same bytes finds it stored, with others an error.
 * Every implementation passes `test/contract/artifact-store.test.ts`.
 */
export interface ArtifactStore {
  /** The folder, or `s3://<bucket>/<prefix>`; for messages. */
  readonly place: string;
  /**
   * @throws {ArtifactUriError} for a uri outside the store, {ArtifactExistsError} when the uri has other bytes,
   * {ArtifactSpaceError} when the disk is full, {ArtifactUnwritableError} when nothing can be written there
   */
  write(uri: string, bytes: Uint8Array): Promise<StoredArtifact>;
  /** As `write`, for content that does not fit in memory; nothing is stored when `chunks` throws. */
  writeStream(uri: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredArtifact>;
  /** @throws {ArtifactMissingError} (`core/errors.ts`), {ArtifactUnreachableError} */
  read(uri: string): Promise<Buffer>;
  /**
   * The bytes from `offset` on, in parts that are the caller's; a reader that was cut off goes on where it was.
   *
   * @throws {ArtifactMissingError} at the first part, {ArtifactUnreachableError}
   */
  readFrom(uri: string, offset: number): AsyncIterable<Uint8Array>;
  /** Size in bytes, or null when there is no such file. @throws {ArtifactUnreachableError} */
  stat(uri: string): Promise<{ readonly sizeBytes: number } | null>;
  /**
   * Removes the file; one that is not there is no error.
   *
   * @throws {ArtifactNotOwnError} for anything that is no regular file of this store
   */
  remove(uri: string): Promise<void>;
  /** Everything there is, in no order; a file that comes or goes meanwhile may be told or not. */
  list(): AsyncIterable<ListedArtifact>;
  /** Path on this machine where the store is a folder of it, for reading in place; else null. The file need not exist. */
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
      `The disk of the artifact store (${root}) is full: ${uri} could not be written and nothing of it was left behind. ` +
        'Free some space there, or move the store to a larger disk.',
      { cause },
    );
    this.uri = uri;
  }
}

/** The store takes nothing: read-only, without the right to write, out of reach, or broken. */
export class ArtifactUnwritableError extends Error {
  override readonly name = 'ArtifactUnwritableError';
  readonly uri: string;

  /** @param mend what a person can do about it, a sentence */
  constructor(uri: string, place: string, cause: Error, mend: string) {
    super(
      `The artifact store (${place}) can't be written: ${cause.message}. Nothing of ${uri} was left behind. ${mend}`,
      { cause },
    );
    this.uri = uri;
  }
}

/** The store does not answer, or not with what it has. */
export class ArtifactUnreachableError extends Error {
  override readonly name = 'ArtifactUnreachableError';
  readonly uri: string;

  /** @param mend what a person can do about it, a sentence */
  constructor(uri: string, place: string, cause: unknown, mend: string) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`The artifact store (${place}) can't be read: ${why}. ${uri} was asked for. ${mend}`, { cause });
    this.uri = uri;
  }
}

/** A link, a folder, a pipe, or a file in a folder that a link leads to: nothing that a store has written. */
export class ArtifactNotOwnError extends Error {
  override readonly name = 'ArtifactNotOwnError';
  readonly uri: string;

  constructor(uri: string, place: string, what: string) {
    super(`${uri} is ${what}, no file that the artifact store (${place}) has written, and is not removed.`);
    this.uri = uri;
  }
}

export class ArtifactExistsError extends Error {
  override readonly name = 'ArtifactExistsError';
  readonly uri: string;

  constructor(uri: string, place: string) {
    super(
      `${uri} is in the artifact store (${place}) already with other bytes, and what is stored never changes. ` +
        'Remove it there if it is damaged, and it is written again.',
    );
    this.uri = uri;
  }
}

/** The parts of a uri. @throws {ArtifactUriError} */
export function splitUri(uri: string): readonly string[] {
  const parts = uri.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]|^[a-zA-Z]:/.test(uri)) {
    throw new ArtifactUriError(uri);
  }
  return parts;
}
