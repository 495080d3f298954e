import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import type { ProgressListener } from '../engine/progress.ts';
import { writeFully } from './image-jobs.ts';
import { decoderCountFor, jobsOf, runDecoders } from './decoder-pool.ts';
import { HEADER_BYTES, imageFileHeader, rowBytes } from './image-file.ts';
import type { ImageFileContents } from './image-file.ts';

export interface ImageFileWriterOptions {
  /** Number of decoder processes; derived from the number of images by default. */
  readonly decoderCount?: number;
  readonly onProgress?: ProgressListener;
}

/** Decodes images into a temporary file, which gets its final name when all of them are written. */
export class ImageFileWriter {
  /** Path of the file until it gets its final name. */
  readonly temporary: string;
  /** CRC-32 of each row written, little endian. */
  readonly checksums: Buffer;
  readonly #contents: ImageFileContents;
  readonly #options: ImageFileWriterOptions;
  readonly #events = new EventEmitter();
  readonly #abort = new AbortController();
  readonly #whole: Promise<void>;
  /** Completed jobs, which end in any order: index of the first image → number of images. */
  readonly #ended = new Map<number, number>();
  /** Number of leading images that can be read. */
  #readable = 0;

  constructor(path: string, contents: ImageFileContents, options: ImageFileWriterOptions) {
    this.#contents = contents;
    this.#options = options;
    this.temporary = `${path}.${randomUUID()}.part`;
    this.checksums = Buffer.alloc(contents.images.length * 4);
    this.#whole = this.#writeFile(openSync(this.temporary, 'wx'), path);
    // Waiting callers receive the rejection; there may be none.
    this.#whole.catch(() => undefined);
  }

  /**
   * Resolves when the first `count` images are written; for all of them, when the file has its final name.
   *
   * @throws {ImageCacheError} or {ImageDecodeError} when decoding fails.
   */
  async until(count: number): Promise<void> {
    if (count >= this.#contents.images.length) return this.#whole;
    while (this.#readable < count) await Promise.race([this.#whole, once(this.#events, 'rows')]);
  }

  /** Stops decoding and removes the temporary file unless all images are written. */
  stop(): void {
    this.#abort.abort();
  }

  async #writeFile(file: number, path: string): Promise<void> {
    const { images, size } = this.#contents;
    try {
      writeFully(file, imageFileHeader(this.#contents), 0);
      await this.#writeRows();
      writeFully(file, this.checksums, HEADER_BYTES + images.length * rowBytes(size));
      fsyncSync(file);
      renameSync(this.temporary, path);
    } catch (error) {
      rmSync(this.temporary, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
  }

  async #writeRows(): Promise<void> {
    const { images, size, split, dataset } = this.#contents;
    const { onProgress, decoderCount = decoderCountFor(images.length) } = this.#options;
    const jobs = jobsOf(images, (share, first) => {
      const offset = HEADER_BYTES + first * rowBytes(size);
      return { kind: 'rows', root: dataset.path, images: share, size, target: this.temporary, offset, first } as const;
    });
    const detail = `decoding ${split} images at ${size} pixels`;
    let done = 0;
    await runDecoders(
      jobs,
      decoderCount,
      ({ first }, rowChecksums) => {
        this.#note(first, rowChecksums);
        done += rowChecksums.length;
        onProgress?.({ done, total: images.length, detail });
      },
      this.#abort.signal,
    );
  }

  #note(first: number, rowChecksums: readonly number[]): void {
    for (const [index, checksum] of rowChecksums.entries()) this.checksums.writeUInt32LE(checksum, (first + index) * 4);
    this.#ended.set(first, rowChecksums.length);
    for (let more: number | undefined; (more = this.#ended.get(this.#readable)) !== undefined;) this.#readable += more;
    this.#events.emit('rows');
  }
}
