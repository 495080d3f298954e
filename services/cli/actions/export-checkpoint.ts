import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { CliError, UsageError } from '../terminal/cli-errors.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { formatBytes } from '../terminal/format.ts';
import { writeResult } from '../terminal/output.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { runTool } from '../tool/run-tool.ts';
import { findCheckpoint } from './find-checkpoint.ts';
import type { CheckpointChoice } from './find-checkpoint.ts';

/** Flags of `graft checkpoint export`. */
export interface ExportFlags {
  readonly format: string;
  readonly out: string;
  readonly force?: true;
  readonly weights?: string;
}

interface ExportedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** File extensions of the formats that are one file. */
const FILE_ENDINGS: Readonly<Record<string, string>> = { keras: '.keras', 'keras-h5': '.h5' };

/** `graft checkpoint export`. */
export async function exportCheckpoint(
  context: CliContext,
  options: GlobalOptions,
  named: string,
  { format, weights, ...flags }: ExportFlags,
): Promise<void> {
  const target = exportTarget(resolve(context.cwd, flags.out), format, flags.force);
  const folder = await mkdtemp(join(tmpdir(), 'graft-export-'));
  try {
    await exportTo(context, options, { named, weights, folder, format, target });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Returns the path to write.
 *
 * @throws UsageError if the path exists without `--force`, or its extension is not the format's.
 */
function exportTarget(out: string, format: string, force: true | undefined): string {
  const ending = FILE_ENDINGS[format];
  const isFolder = existsSync(out) && statSync(out).isDirectory();
  if (ending === undefined) {
    if (existsSync(out) && !isFolder) throw new UsageError(`--out: ${out} is a file; format ${format} needs a folder.`);
    refuseExisting(join(out, 'model.json'), force);
    return out;
  }
  const given = isFolder ? '' : extname(out);
  if (given !== '' && given !== ending) {
    throw new UsageError(`--out: ${out} ends in ${given}; a file of format ${format} ends in ${ending}.`);
  }
  const target = given === '' ? join(out, `model${ending}`) : out;
  refuseExisting(target, force);
  return target;
}

function refuseExisting(path: string, force: true | undefined): void {
  if (force === true || !existsSync(path)) return;
  throw new UsageError(`--out: ${path} exists already. Choose another path, or add --force to replace it.`);
}

interface Export extends CheckpointChoice {
  readonly format: string;
  readonly target: string;
}

async function exportTo(
  context: CliContext,
  options: GlobalOptions,
  { format, target, ...choice }: Export,
): Promise<void> {
  const { file, card } = await findCheckpoint(context, options, choice);
  const { parameters, classNames } = card;
  const { cacheDir } = context.paths;
  const request = { type: 'export', checkpoint: file, parameters, classNames, format, target, cacheDir };
  const status = new StatusLine(context.stderr, context.env);
  let files: readonly ExportedFile[] = [];
  try {
    await runTool(request, context.env, context.signal, (event) => {
      if (event.type === 'progress') {
        status.show(`${String(event['detail'])}: ${String(event['done'])} of ${String(event['total'])}`);
      }
      if (event.type === 'exported') files = event['files'] as readonly ExportedFile[];
    });
  } finally {
    status.clear();
  }
  if (files.length === 0) throw new CliError(`No file was written to ${target}.`);
  writeResult(context, options, { format, classNames, files }, () =>
    files.map(({ path, sizeBytes }) => `${path}: ${formatBytes(sizeBytes)}`).join('\n'),
  );
}
