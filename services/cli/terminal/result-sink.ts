import { randomUUID } from 'node:crypto';
import { closeSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { prepareOutputFile, unwritable } from './output-file.ts';
import type { TextStream } from './output.ts';

/** A destination of a result that is written piece by piece. */
export interface ResultSink {
  write(text: string): void;
  /** Completes the result; a file gets its name now. */
  finish(): void;
  /** Removes an incomplete file; does nothing after `finish`. */
  discard(): void;
}

/** Writes to a stream, without buffering. */
export function streamSink(stream: TextStream): ResultSink {
  return { write: (text) => void stream.write(text), finish: () => undefined, discard: () => undefined };
}

/**
 * Opens a file that gets its name when the result is complete; until then it has another one in the same folder. A device or pipe is
 * written directly.
 *
 * @throws UsageError for a folder; CliError if it can't be written, at the beginning or later.
 */
export async function fileSink(path: string, option: string): Promise<ResultSink> {
  await prepareOutputFile(path, option);
  const known = statSync(path, { throwIfNoEntry: false });
  const isSpecial = known?.isFile() === false;
  // The file that a symbolic link leads to is replaced, not the link: /dev/stdout is one to the file that a shell redirects to.
  const final = known === undefined || isSpecial ? path : realpathSync(path);
  const target = isSpecial ? path : `${final}.${randomUUID().slice(0, 8)}.part`;
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw unwritable(path, path, error);
    }
  };
  const file = attempt(() => openSync(target, 'w'));
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return {
    // A single system call may write less than the text.
    write: (text) => attempt(() => writeFileSync(file, text)),
    finish: () => {
      close();
      if (!isSpecial) attempt(() => renameSync(target, final));
    },
    discard: () => {
      close();
      if (!isSpecial) rmSync(target, { force: true });
    },
  };
}
