import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import type { GraftClient } from '../client/client-port.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { collectReport } from './collect-report.ts';
import { renderReport } from './render-report.ts';
import type { ReportData } from './report-data.ts';

const HTML_ENDINGS: readonly string[] = ['.html', '.htm'];

/**
 * Returns the file that a report is written to: `path` itself, or `graft-report-<sweep>.html` in it where it is a folder, ends in a slash
 * or has no extension.
 *
 * @throws UsageError for a file that does not end in .html.
 */
export async function reportFile(path: string, isFolder: boolean, sweepId: string): Promise<string> {
  const known = await stat(path).catch(() => null);
  const ending = extname(path);
  if (known?.isDirectory() === true || (known === null && (isFolder || ending === ''))) {
    return join(path, `graft-report-${sweepId}.html`);
  }
  if (isFolder)
    throw new UsageError(`--out: ${path} is a file, not a folder. Name a folder, or a file that ends in .html.`);
  // A device such as /dev/stdout, or a file that exists, has the name that its owner gave it.
  if (known !== null && ending === '') return path;
  if (HTML_ENDINGS.includes(ending.toLowerCase())) return path;
  throw new UsageError(
    `--out: ${path} ends in ${ending}, but the report is HTML. Name a folder, or a file that ends in .html.`,
  );
}

/**
 * Collects and writes a report; creates its folder. Returns the data of the report.
 *
 * @throws UsageError where the file can't be written.
 */
export async function writeReport(
  client: GraftClient,
  sweepId: string,
  file: string,
  signal: AbortSignal,
): Promise<ReportData> {
  const data = await collectReport(client, sweepId, signal);
  const page = renderReport(data);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, page);
  } catch (error) {
    throw new UsageError(
      `--out: ${file} can't be written: ${reasonOf(error as NodeJS.ErrnoException)}. Name another file with -o.`,
    );
  }
  return data;
}

/** Returns the reason of a failed write in words. */
function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'this user may not write there',
    EPERM: 'this user may not write there',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota is used up',
    ENOTDIR: 'a part of its path is a file',
    EEXIST: 'a part of its path is a file',
    EISDIR: 'it is a folder',
    ENAMETOOLONG: 'the name is too long',
    ELOOP: 'its links lead in a circle',
  };
  return reasons[code] ?? message;
}
