import { basename, join, resolve } from 'node:path';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { CATS_VS_DOGS_ARCHIVE, fetchCatsVsDogs, PUBLISHED_COUNTS } from '../dataset/fetch-cats-vs-dogs.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { formatBytes } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { STANDARD_STREAM } from '../terminal/standard-stream.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { countOf } from '../../core/text/count-of.ts';

/** Flags of `graft dataset fetch`. */
export interface FetchDatasetFlags {
  readonly out?: string;
  readonly keepArchive?: true;
}

/** `graft dataset fetch`. */
export async function fetchDataset(
  context: CliContext,
  options: GlobalOptions,
  name: string,
  flags: FetchDatasetFlags,
): Promise<void> {
  if (name !== 'cats-vs-dogs') throw new UsageError(`There is no data set '${name}' to fetch. Known: cats-vs-dogs.`);
  if (flags.out === STANDARD_STREAM) throw new UsageError('--out: the data set is a folder. Name one.');
  const { cacheDir } = context.paths;
  const status = new StatusLine(context.stderr, context.env);
  try {
    const result = await fetchCatsVsDogs({
      archive: CATS_VS_DOGS_ARCHIVE,
      archivePath: join(cacheDir, 'downloads', basename(CATS_VS_DOGS_ARCHIVE.url)),
      outDir: flags.out === undefined ? join(cacheDir, 'data', 'cats-vs-dogs') : resolve(context.cwd, flags.out),
      counts: PUBLISHED_COUNTS,
      keepArchive: flags.keepArchive ?? false,
      signal: context.signal,
      onStep: (text) => {
        status.clear();
        say(context, text);
      },
      onProgress: ({ doneBytes, totalBytes }) => {
        status.show(`${formatBytes(doneBytes)}${totalBytes === null ? '' : ` of ${formatBytes(totalBytes)}`}`);
      },
    });
    status.clear();
    writeResult(context, options, result, () =>
      result.wasThere
        ? `${result.outDir} exists already. Delete it to fetch again.`
        : `${result.outDir}: ${countOf(result.imageCount, 'image')}; skipped ${countOf(result.skipped.length, 'file of the archive that is', 'files of the archive that are')} no JPEG.`,
    );
  } finally {
    status.clear();
  }
}
