import { closeSync, openSync, readSync, statSync } from 'node:fs';

const TAIL_BYTES = 65_536;
/** Pino's level number of `fatal`. */
const FATAL = 60;

/** Returns the reason of a service's end, from the last fatal line of its log; null if there is none. */
export function lastFatalMessage(logFile: string): string | null {
  for (const line of readTail(logFile).split('\n').toReversed()) {
    const message = fatalMessage(line);
    if (message !== null) return message.replace(/\.$/, '');
  }
  return null;
}

function fatalMessage(line: string): string | null {
  try {
    const { level, err } = JSON.parse(line) as {
      readonly level?: unknown;
      readonly err?: { readonly message?: unknown };
    };
    return level === FATAL && typeof err?.message === 'string' ? err.message : null;
  } catch {
    return null;
  }
}

function readTail(file: string): string {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    const size = statSync(file).size;
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const count = readSync(handle, tail, 0, tail.length, Math.max(0, size - TAIL_BYTES));
    return tail.toString('utf8', 0, count);
  } finally {
    closeSync(handle);
  }
}
