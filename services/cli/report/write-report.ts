import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { GraftClient } from '../client/client-port.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { prepareOutputFile } from '../terminal/output-file.ts';
import { fileSink } from '../terminal/result-sink.ts';
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
 * Collects and writes a report; creates its folder. An older report is replaced when the new one is complete. Returns the data of the
 * report.
 *
 * @throws CliError where the file can't be written.
 */
export async function writeReport(
  client: GraftClient,
  sweepId: string,
  file: string,
  signal: AbortSignal,
): Promise<ReportData> {
  await prepareOutputFile(file, '--out');
  const data = await collectReport(client, sweepId, signal);
  const page = renderReport(data);
  const sink = await fileSink(file, '--out');
  try {
    sink.write(page);
    sink.finish();
  } finally {
    sink.discard();
  }
  return data;
}
