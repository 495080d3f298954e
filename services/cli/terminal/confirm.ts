import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Readable } from 'node:stream';
import { InterruptedError, UsageError } from './cli-errors.ts';
import type { TextStream } from './output.ts';
import type { ByteStream } from './standard-stream.ts';

interface Terminal {
  readonly stdin?: ByteStream;
  readonly stderr: TextStream;
  readonly signal: AbortSignal;
}

/**
 * Asks for a confirmation of what can't be undone. Only `y` and `yes` confirm.
 *
 * @param flag option that confirms without a question, for scripts
 * @throws UsageError where no terminal can answer; InterruptedError after Ctrl-C
 */
export async function confirm({ stdin, stderr, signal }: Terminal, question: string, flag: string): Promise<boolean> {
  if (stderr.isTTY !== true || (stdin === undefined && !process.stdin.isTTY)) {
    throw new UsageError(`${question}\nThere is no terminal to ask on: add ${flag} to confirm.`);
  }
  stderr.write(`${question} [y/N] `);
  const lines = createInterface({ input: stdin === undefined ? process.stdin : Readable.from(stdin) });
  const ended = new AbortController();
  try {
    const options = { signal: AbortSignal.any([signal, ended.signal]) };
    const answers = await Promise.race([once(lines, 'line', options), once(lines, 'close', options).then(() => [''])]);
    return /^\s*y(es)?\s*$/i.test(String(answers[0]));
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new InterruptedError('Nothing was changed.');
  } finally {
    ended.abort();
    lines.close();
  }
}
