import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileProblem } from '../../platform/files/file-problem.ts';
import { describeModel } from './describe-model.ts';
import type { TrainedModel } from './describe-model.ts';
import { ExportError } from './export-error.ts';
import { writeKerasFile } from './keras-file.ts';
import { writeKerasH5File } from './keras-h5-file.ts';
import type { ModelCard } from './model-card.ts';
import { writeTfjsFiles } from './tfjs-files.ts';

export type ExportFormat = 'keras' | 'keras-h5' | 'tfjs';

export interface ExportedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export interface ExportTarget {
  readonly format: ExportFormat;
  /** File (`keras`, `keras-h5`) or folder (`tfjs`); created with its parents, replaced if it exists. */
  readonly target: string;
}

/**
 * Writes a trained model in the requested format. A file gets its name when it is complete.
 *
 * @throws {ExportError} when the file can't be written.
 */
export async function exportModel(
  model: TrainedModel,
  card: ModelCard,
  { format, target }: ExportTarget,
): Promise<readonly ExportedFile[]> {
  try {
    if (format === 'tfjs') {
      const names = await writeTfjsFiles(target, describeModel(model, false), card);
      return await Promise.all(names.map((name) => fileAt(join(target, name))));
    }
    const write = format === 'keras' ? writeKerasFile : writeKerasH5File;
    await mkdir(dirname(target), { recursive: true });
    const part = `${target}.part`;
    try {
      await write(part, describeModel(model, true), card);
      await rename(part, target);
    } finally {
      await rm(part, { force: true });
    }
    return [await fileAt(target)];
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === null) throw error;
    const path = error instanceof Error && 'path' in error ? String(error.path) : target;
    throw new ExportError(target, `${path} ${problem.clause}`, { cause: error });
  }
}

async function fileAt(path: string): Promise<ExportedFile> {
  return { path, sizeBytes: (await stat(path)).size };
}
