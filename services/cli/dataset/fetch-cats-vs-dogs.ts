import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { openPromise } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import type { Split } from '../../core/dataset.ts';
import { SPLITS } from '../../core/dataset.ts';
import { downloadFile } from '../../platform/http/download.ts';
import type { DownloadProgress } from '../../platform/http/download.ts';
import { CliError } from '../terminal/cli-errors.ts';

/** Microsoft's public archive of the Asirra images. */
export const CATS_VS_DOGS_ARCHIVE = {
  url: 'https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip',
  sizeBytes: 824_887_076,
} as const;

/** Images per class and split: numbers 0–999, 1000–1499 and 1500–2499 of each class in the archive. */
export const PUBLISHED_COUNTS: Readonly<Record<Split, number>> = { train: 1_000, validation: 500, test: 1_000 };

/** Folders of the archive and their class names. */
const CLASSES = [
  { folder: 'Cat', className: 'cat' },
  { folder: 'Dog', className: 'dog' },
] as const;

const JPEG_START = Buffer.from([0xff, 0xd8, 0xff]);

export interface FetchOptions {
  readonly archive: { readonly url: string; readonly sizeBytes: number };
  /** Path for the downloaded archive. */
  readonly archivePath: string;
  /** Folder to write `{train,validation,test}/{cat,dog}/<class>.<number>.jpg` to. */
  readonly outDir: string;
  /** Images per class and split. */
  readonly counts: Readonly<Record<Split, number>>;
  readonly keepArchive: boolean;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly onStep?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface FetchResult {
  readonly outDir: string;
  readonly imageCount: number;
  /** Files of the archive that are empty or not JPEG; the next file replaces each. */
  readonly skipped: readonly string[];
  /** True if the folder existed before. */
  readonly wasThere: boolean;
}

/**
 * Builds the published data set "cats vs dogs, small". An interrupted download is resumed, even by a later call. The folder appears
 * only when it is complete.
 *
 * @throws DownloadError; CliError if the archive has too few images.
 */
export async function fetchCatsVsDogs(options: FetchOptions): Promise<FetchResult> {
  const { archive, archivePath, outDir, counts, onProgress, onStep, signal } = options;
  const imageCount = SPLITS.reduce((sum, split) => sum + counts[split], 0) * CLASSES.length;
  if (existsSync(outDir)) return { outDir, imageCount, skipped: [], wasThere: true };
  if (!existsSync(archivePath)) {
    onStep?.(`downloading ${archive.url}`);
    await downloadFile({
      url: archive.url,
      path: archivePath,
      sizeBytes: archive.sizeBytes,
      ...(onProgress === undefined ? {} : { onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
  onStep?.(`unpacking ${imageCount} images`);
  const partial = `${outDir}.partial`;
  await rm(partial, { recursive: true, force: true });
  const skipped = await unpack(archivePath, partial, counts, signal);
  await mkdir(dirname(outDir), { recursive: true });
  await rename(partial, outDir);
  if (!options.keepArchive) await rm(archivePath, { force: true });
  return { outDir, imageCount, skipped, wasThere: false };
}

async function unpack(
  archivePath: string,
  folder: string,
  counts: Readonly<Record<Split, number>>,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const zip = await openPromise(archivePath, { lazyEntries: true, autoClose: false });
  try {
    const entries = new Map<string, Entry>();
    for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
    const skipped: string[] = [];
    for (const { folder: from, className } of CLASSES) {
      const reader = new ClassReader(zip, entries, `PetImages/${from}`);
      for (const split of SPLITS) {
        const target = join(folder, split, className);
        await mkdir(target, { recursive: true });
        for (let count = 0; count < counts[split]; count += 1) {
          signal?.throwIfAborted();
          const { index, bytes } = await reader.next();
          await writeFile(join(target, `${className}.${index}.jpg`), bytes);
        }
      }
      skipped.push(...reader.skipped);
    }
    return skipped;
  } finally {
    zip.close();
  }
}

/** Reads the JPEG images of one class by number and skips files that are empty or not JPEG. */
class ClassReader {
  readonly skipped: string[] = [];
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #folder: string;
  readonly #last: number;
  #index = 0;

  constructor(zip: ZipFile, entries: ReadonlyMap<string, Entry>, folder: string) {
    this.#zip = zip;
    this.#entries = entries;
    this.#folder = folder;
    this.#last = [...entries.keys()].reduce((last, name) => {
      const number = name.startsWith(`${folder}/`) ? /\/(\d+)\.jpg$/.exec(name)?.[1] : undefined;
      return number === undefined ? last : Math.max(last, Number(number));
    }, -1);
  }

  async next(): Promise<{ readonly index: number; readonly bytes: Buffer }> {
    while (this.#index <= this.#last) {
      const index = this.#index++;
      const name = `${this.#folder}/${index}.jpg`;
      const entry = this.#entries.get(name);
      if (entry === undefined) continue;
      const bytes = await buffer(await this.#zip.openReadStreamPromise(entry));
      if (bytes.subarray(0, JPEG_START.length).equals(JPEG_START)) return { index, bytes };
      this.skipped.push(name);
    }
    throw new CliError(
      `The archive has too few JPEG images in ${this.#folder}: ${this.#last + 1} numbers, ${this.skipped.length} of them not JPEG. ` +
        'It is not the expected archive; delete it and fetch it again.',
    );
  }
}
