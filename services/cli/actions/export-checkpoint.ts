import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeUse } from '../describe/export-text.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { formatBytes } from '../terminal/format.ts';
import { createFolder, refuseStandardOutput, unwritable } from '../terminal/output-file.ts';
import { writeResult } from '../terminal/output.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { runTool } from '../tool/run-tool.ts';
import { exportTarget } from './export-target.ts';
import type { ExportFormat, ExportTarget } from './export-target.ts';
import { findCheckpoint } from './find-checkpoint.ts';
import type { FoundCheckpoint } from './find-checkpoint.ts';

/** Flags of `graft checkpoint export`. */
export interface ExportFlags {
  readonly format?: ExportFormat;
  readonly out: string;
  readonly force?: true;
  readonly weights?: string;
}

interface ExportedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** `graft checkpoint export`. */
export async function exportCheckpoint(
  context: CliContext,
  options: GlobalOptions,
  named: string,
  flags: ExportFlags,
): Promise<void> {
  const { found, target, files } = await exportModel(context, options, named, flags);
  writeResult(context, options, resultOf(found, target, files), () => describe(found, target, files));
}

/** A written model. */
export interface ExportedModel {
  readonly found: FoundCheckpoint;
  readonly target: ExportTarget;
  readonly files: readonly ExportedFile[];
}

/** Finds a checkpoint and writes its model to a file or folder. */
export async function exportModel(
  context: CliContext,
  options: GlobalOptions,
  named: string,
  flags: ExportFlags,
): Promise<ExportedModel> {
  refuseStandardOutput(flags.out, '--out');
  const target = exportTarget(resolve(context.cwd, flags.out), flags.format, flags.force === true);
  const folder = await mkdtemp(join(tmpdir(), 'graft-export-'));
  try {
    const found = await findCheckpoint(context, options, { named, weights: flags.weights, folder });
    return { found, target, files: await exportAside(context, found, target) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Exports into a folder beside the target, and moves the files when all of them are complete: an export that is interrupted or fails
 * leaves nothing behind.
 */
async function exportAside(
  context: CliContext,
  found: FoundCheckpoint,
  { format, path }: ExportTarget,
): Promise<readonly ExportedFile[]> {
  const into = format === 'tfjs' ? path : dirname(path);
  const aside = await makeAside(into, path);
  try {
    const inside = format === 'tfjs' ? aside : join(aside, basename(path));
    const files = await runExport(context, found, { format, path: inside });
    if (format === 'tfjs') await removeShards(into);
    return await Promise.all(
      files.map(async ({ path: from, sizeBytes }) => {
        const to = join(into, basename(from));
        await rename(from, to);
        return { path: to, sizeBytes };
      }),
    );
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function makeAside(folder: string, target: string): Promise<string> {
  try {
    await createFolder(folder);
    return await mkdtemp(join(folder, '.graft-export-'));
  } catch (error) {
    throw unwritable(target, folder, error);
  }
}

/** Removes the shards of an earlier export, of which there may be more. */
async function removeShards(folder: string): Promise<void> {
  const names = await readdir(folder);
  const shards = names.filter((name) => /^group1-shard\d+of\d+\.bin$/.test(name));
  await Promise.all(shards.map((name) => rm(join(folder, name))));
}

async function runExport(
  context: CliContext,
  { file, card }: FoundCheckpoint,
  { format, path }: ExportTarget,
): Promise<readonly ExportedFile[]> {
  const { parameters, classNames } = card;
  const { cacheDir } = context.paths;
  const request = { type: 'export', checkpoint: file, parameters, classNames, format, target: path, cacheDir };
  const status = new StatusLine(context.stderr, context.env);
  let files: readonly ExportedFile[] = [];
  status.show('loading the model …');
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
  if (files.length === 0) throw new CliError(`No file was written to ${path}.`);
  return files;
}

function resultOf({ card }: FoundCheckpoint, { format }: ExportTarget, files: readonly ExportedFile[]): object {
  return { format, classNames: card.classNames, imageSize: card.parameters['image_size'], files };
}

function describe({ card }: FoundCheckpoint, { format, path }: ExportTarget, files: readonly ExportedFile[]): string {
  const { classNames, parameters } = card;
  const list = files.map((file) => `${file.path}: ${formatBytes(file.sizeBytes)}`).join('\n');
  if (format === 'tfjs') return list;
  return `${list}\n\n${describeUse({ path, classNames, imageSize: Number(parameters['image_size']) })}`;
}
