import { existsSync, statSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describeFileError, fileProblem } from '../../platform/files/file-problem.ts';
import { CliError, UsageError } from './cli-errors.ts';
import { EXIT, EXIT_OF_FILE_PROBLEM } from './exit-codes.ts';
import { STANDARD_STREAM } from './standard-stream.ts';

/**
 * Checks, before the work whose result a file will have, that it can be written, and creates its folder.
 *
 * @param option name of the option that gave the path, for messages.
 * @throws UsageError for a folder; CliError if this account may not write there.
 */
export async function prepareOutputFile(path: string, option: string): Promise<void> {
  const folder = dirname(path);
  try {
    await createFolder(folder);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) throw new UsageError(`${option}: ${path} is a folder. Name a file in it.`);
    await access(found === undefined ? folder : path, constants.W_OK);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unwritable(path, folder, error);
  }
}

/** Refuses `-` for a result that is not text. @throws UsageError */
export function refuseStandardOutput(out: string, option: string): void {
  if (out === STANDARD_STREAM) {
    throw new UsageError(`${option}: the result is binary and can't be printed. Name a file.`);
  }
}

/** Creates a folder with its parents, one by one: Node's recursive `mkdir` does not return in /proc. */
export async function createFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await createFolder(dirname(folder));
  await mkdir(folder).catch((error: unknown) => {
    if (!existsSync(folder)) throw error;
  });
}

/** Returns an error that names the file to write, its problem and the remedy. */
export function unwritable(path: string, culprit: string, error: unknown): CliError {
  const problem = fileProblem(error);
  const exitCode = problem === null ? EXIT.failure : EXIT_OF_FILE_PROBLEM[problem.kind];
  return new CliError(
    `${path} can't be written: ${describeFileError(error, culprit)}. Choose another path, or fix this one.`,
    exitCode,
    { cause: error },
  );
}
