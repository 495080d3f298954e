import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  S3ServiceException,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { ArtifactMissingError } from '../../core/errors.ts';
import {
  ArtifactExistsError,
  ArtifactSpaceError,
  ArtifactUnreachableError,
  ArtifactUnwritableError,
  splitUri,
} from './artifact-store.ts';
import type { ArtifactStore, ListedArtifact, StoredArtifact } from './artifact-store.ts';

export interface S3Options {
  readonly client: S3Client;
  readonly bucket: string;
  /** Prefix of every key, followed by `/`; empty for none. */
  readonly prefix: string;
}

/** Bytes per part of a multipart upload. An object has at most 10,000 parts: 160 GB. */
const PART_BYTES = 16 * 2 ** 20;
/**
 * Maximum number of consecutive interruptions of a download without progress; each one resumes at the current offset.
 */
const BREAKS_IN_A_ROW = 5;
const INSUFFICIENT_STORAGE = 507;
/** Error names of MinIO, Ceph and others for a full bucket or disk. */
const FULL_NAMES: ReadonlySet<string> = new Set(['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage']);
const BUCKET_REMEDY =
  'Check the address (AWS_ENDPOINT_URL_S3, AWS_REGION), that the bucket exists, and that the credentials may read and put ' +
  'objects and abort uploads in it.';
/** Uri of a listed unfinished upload: `<uri>.<upload id>.upload.tmp`, where the ID contains no dot. */
const UPLOAD_URI = /^(.+)\.([^./]+)\.upload\.tmp$/;

/**
 * The artifact store in a bucket of an S3-compatible service. An object appears atomically when its upload completes,
 * and `If-None-Match: *` lets the first writer win. A killed writer leaves an unreadable upload, which `list` reports
 * as temporary.
 */
export class S3ArtifactStore implements ArtifactStore {
  readonly #options: S3Options;

  constructor(options: S3Options) {
    this.#options = options;
  }

  write(uri: string, bytes: Uint8Array): Promise<StoredArtifact> {
    return this.writeStream(uri, [bytes]);
  }

  async writeStream(uri: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredArtifact> {
    const { client, bucket } = this.#options;
    const key = this.#key(uri);
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const source = new Source(chunks, (chunk) => {
      hash.update(chunk);
      sizeBytes += chunk.byteLength;
    });
    const upload = new Upload({
      client,
      params: { Bucket: bucket, Key: key, Body: Readable.from(source.parts()), IfNoneMatch: '*' },
      partSize: PART_BYTES,
      // Each holds a part in memory.
      queueSize: 2,
    });
    try {
      await upload.done();
    } catch (error) {
      // A failed source must leave neither a truncated object nor parts that are billed.
      await upload.abort().catch(() => undefined);
      if (source.failure !== null) throw source.failure.error;
      if (!isRefusedAsExisting(error)) throw this.#writeError(error, uri);
      const sha256 = await source.drain().then(() => hash.digest('hex'));
      if (await this.#has(uri, sizeBytes, sha256)) return { uri, sizeBytes, sha256 };
      throw new ArtifactExistsError(uri, this.place);
    }
    return { uri, sizeBytes, sha256: hash.digest('hex') };
  }

  async read(uri: string): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const part of this.readFrom(uri, 0)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *readFrom(uri: string, offset: number): AsyncGenerator<Uint8Array> {
    const key = this.#key(uri);
    let position = offset;
    let etag: string | undefined;
    for (let breaks = 0; ;) {
      try {
        const response = await this.#get(uri, key, position, etag);
        if (response === null) return;
        etag = response.ETag;
        for await (const chunk of response.Body as AsyncIterable<Uint8Array>) {
          position += chunk.byteLength;
          breaks = 0;
          yield chunk;
        }
        return;
      } catch (error) {
        if (error instanceof ArtifactMissingError) throw error;
        if (isAnswer(error) || ++breaks > BREAKS_IN_A_ROW) throw this.#readError(error, uri);
      }
    }
  }

  async stat(uri: string): Promise<{ readonly sizeBytes: number } | null> {
    try {
      const { ContentLength = 0 } = await this.#options.client.send(
        new HeadObjectCommand({ Bucket: this.#options.bucket, Key: this.#key(uri) }),
      );
      return { sizeBytes: ContentLength };
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw this.#readError(error, uri);
    }
  }

  async remove(uri: string): Promise<void> {
    const { client, bucket } = this.#options;
    const [, target, uploadId] = UPLOAD_URI.exec(uri) ?? [];
    if (target !== undefined && uploadId !== undefined) {
      await client
        .send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: this.#key(target), UploadId: uploadId }))
        .catch((error: unknown) => {
          if (statusOf(error) !== 404) throw error;
        });
      return;
    }
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: this.#key(uri) }));
  }

  async *list(): AsyncGenerator<ListedArtifact> {
    const { client, bucket } = this.#options;
    const prefix = this.#prefix;
    for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix })) {
      for (const { Key = '', LastModified } of page.Contents ?? []) {
        yield { uri: Key.slice(prefix.length), ageMs: ageOf(LastModified), isTemporary: Key.endsWith('.tmp') };
      }
    }
    yield* this.#listUploads();
  }

  localPath(uri: string): null {
    splitUri(uri);
    return null;
  }

  async *#listUploads(): AsyncGenerator<ListedArtifact> {
    const { client, bucket } = this.#options;
    const prefix = this.#prefix;
    let next: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...next }));
      for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
        const uri = `${Key.slice(prefix.length)}.${UploadId}.upload.tmp`;
        yield { uri, ageMs: ageOf(Initiated), isTemporary: true };
      }
      if (page.IsTruncated !== true) return;
      next = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  }

  /** Requests an object from a position; null if `position` is the object's end. */
  async #get(uri: string, key: string, position: number, etag?: string): Promise<GetObjectCommandOutput | null> {
    try {
      return await this.#options.client.send(
        new GetObjectCommand({
          Bucket: this.#options.bucket,
          Key: key,
          ...(position > 0 ? { Range: `bytes=${position}-` } : {}),
          // Never continue with the rest of another object.
          ...(etag === undefined ? {} : { IfMatch: etag }),
        }),
      );
    } catch (error) {
      if (statusOf(error) === 416) return null;
      if (statusOf(error) !== 404) throw error;
      throw new ArtifactMissingError(uri, `is not in the artifact store (${this.place})`);
    }
  }

  async #has(uri: string, sizeBytes: number, sha256: string): Promise<boolean> {
    if ((await this.stat(uri))?.sizeBytes !== sizeBytes) return false;
    const hash = createHash('sha256');
    for await (const chunk of this.readFrom(uri, 0)) hash.update(chunk);
    return hash.digest('hex') === sha256;
  }

  /** Converts an error; the client has already retried everything that may be transient. */
  #writeError(error: unknown, uri: string): unknown {
    if (!(error instanceof Error)) return error;
    const isFull = statusOf(error) === INSUFFICIENT_STORAGE || FULL_NAMES.has(error.name);
    if (isFull) return new ArtifactSpaceError(uri, this.place, error);
    return new ArtifactUnwritableError(uri, this.place, new Error(`${error.name}: ${error.message}`), BUCKET_REMEDY);
  }

  #readError(error: unknown, uri: string): unknown {
    if (!(error instanceof Error)) return error;
    const cause = new Error(`${error.name}: ${error.message}`, { cause: error });
    return new ArtifactUnreachableError(uri, this.place, cause, BUCKET_REMEDY);
  }

  #key(uri: string): string {
    splitUri(uri);
    return `${this.#prefix}${uri}`;
  }

  get #prefix(): string {
    return this.#options.prefix === '' ? '' : `${this.#options.prefix}/`;
  }

  get place(): string {
    return `s3://${this.#options.bucket}/${this.#options.prefix}`;
  }
}

/** Chunks that are passed to the upload. The rest can still be consumed after the upload has ended early. */
class Source {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #onChunk: (chunk: Uint8Array) => void;
  /** Error thrown by the producer of the chunks. */
  failure: { readonly error: unknown } | null = null;

  constructor(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, onChunk: (chunk: Uint8Array) => void) {
    this.#iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
    this.#onChunk = onChunk;
  }

  async *parts(): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.#next(); chunk !== null; chunk = await this.#next()) yield chunk;
  }

  async drain(): Promise<void> {
    let chunk: Uint8Array | null;
    do chunk = await this.#next();
    while (chunk !== null);
  }

  async #next(): Promise<Uint8Array | null> {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await this.#iterator.next();
    } catch (error) {
      this.failure = { error };
      throw error;
    }
    if (next.done === true) return null;
    this.#onChunk(next.value);
    return next.value;
  }
}

function ageOf(time: Date | undefined): number {
  return time === undefined ? 0 : Date.now() - time.getTime();
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** 412: the object exists; 409: another upload of it is being completed. */
function isRefusedAsExisting(error: unknown): boolean {
  return statusOf(error) === 412 || statusOf(error) === 409;
}

/** Returns whether the service replied with a definite error; anything else is a broken connection. */
function isAnswer(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && status >= 400 && status < 500;
}
