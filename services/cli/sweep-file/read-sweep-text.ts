import { open } from 'node:fs/promises';
import process from 'node:process';
import { describeFileError, fileProblem } from '../../platform/files/file-problem.ts';
import { CliError, UsageError } from '../terminal/cli-errors.ts';
import { EXIT_OF_FILE_PROBLEM } from '../terminal/exit-codes.ts';
import { readStream, STANDARD_STREAM } from '../terminal/standard-stream.ts';
import type { ByteStream } from '../terminal/standard-stream.ts';

/** Maximum size of a sweep file. A spec of 10,000 listed variants has about 3 MB. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Message for a file whose whole content is one string. */
export const NO_YAML =
  'the file is not a YAML mapping. A sweep file has lines like `dataset: { path: /data/pets }`; TOML (key = value) and other ' +
  'formats are not supported. `npx graft schema` prints the schema.';

/**
 * Reads a sweep file as text.
 *
 * @param path path as given, for messages; `-` is standard input.
 * @param file absolute path.
 * @throws CliError if it can't be read; UsageError if it is a folder, a URL, too large, or not UTF-8.
 */
export async function readSweepText(path: string, file: string, stdin: ByteStream = process.stdin): Promise<string> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    throw new UsageError(`${path}: is a URL, but sweep files must be on this machine. Download it first.`);
  }
  const bytes = path === STANDARD_STREAM ? await readStream(stdin, MAX_BYTES) : await readBytes(path, file);
  if (bytes.length > MAX_BYTES) {
    throw new UsageError(`${nameOf(path)}: has more than ${MAX_BYTES} bytes, the maximum size of a sweep file.`);
  }
  if (startsWith(bytes, 0xff, 0xfe) || startsWith(bytes, 0xfe, 0xff) || bytes.subarray(0, 1_000).includes(0)) {
    throw new UsageError(
      `${nameOf(path)}: is encoded as UTF-16 or is a binary file. Save it as UTF-8, for example with \`iconv -f UTF-16 -t UTF-8\`.`,
    );
  }
  try {
    // The decoder drops a byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(
      `${nameOf(path)}: is not UTF-8 (line ${firstWrongLine(bytes)}). Save it as UTF-8, for example with \`iconv -f ISO-8859-1 -t UTF-8\`.`,
    );
  }
}

/** Returns the name of a sweep file for messages. */
export function nameOf(path: string): string {
  return path === STANDARD_STREAM ? 'standard input' : path;
}

/** Reads a file, or a pipe such as `<(…)` of a shell, up to one chunk beyond the maximum size. */
async function readBytes(path: string, file: string): Promise<Uint8Array> {
  try {
    await using opened = await open(file);
    const found = await opened.stat();
    if (found.isDirectory()) throw new UsageError(`${path}: is a folder. Name the sweep file in it.`);
    return await readStream(opened.createReadStream({ autoClose: false }) as ByteStream, MAX_BYTES);
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === null) throw error;
    throw new CliError(
      `${describeFileError(error, path)}. Give the path of a sweep file, or - for standard input.`,
      EXIT_OF_FILE_PROBLEM[problem.kind],
    );
  }
}

function startsWith(bytes: Uint8Array, ...head: readonly number[]): boolean {
  return head.every((byte, index) => bytes[index] === byte);
}

function firstWrongLine(bytes: Uint8Array): number {
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  const wrong = lines.findIndex((line) => {
    const raw = Buffer.from(line, 'latin1');
    return !Buffer.from(raw.toString('utf8'), 'utf8').equals(raw);
  });
  return wrong + 1;
}

/** Returns the parser's message, with a remedy where the message has none. */
export function explainSyntax(code: string, message: string, text: string): string {
  const said = `${message}.`.replace(/\.\.$/, '.');
  if (message.includes('call stack')) return "the file can't be read: it is nested too deeply.";
  switch (code) {
    case 'MULTIPLE_DOCS':
      return 'another document begins here (---); a sweep file has one. Put each sweep into its own file.';
    case 'TAB_AS_INDENT':
      return `${said} Use spaces.`;
    case 'TAG_RESOLVE_FAILED':
      return `${said} Tags (!name) are not supported: write the value itself.`;
    default:
      return /^\s*\/\//m.test(text) ? `${said} Comments begin with #; // is JSON5, which is not supported.` : said;
  }
}

/** Maximum nesting; no key of a sweep file needs nearly as much. */
const MAX_DEPTH = 32;

/** Returns a message for a value that contains itself (an alias within its own anchor) or is nested too deeply; else null. */
export function nestingProblem(root: unknown): string | null {
  const done = new Set<object>();
  const open = new Set<object>();
  const visit = (value: unknown): string | null => {
    if (typeof value !== 'object' || value === null || done.has(value)) return null;
    if (open.has(value)) return "the file can't be read: an alias (*name) is within its own anchor (&name).";
    if (open.size === MAX_DEPTH) return `the file can't be read: it is nested more than ${MAX_DEPTH} levels deep.`;
    open.add(value);
    for (const item of Object.values(value)) {
      const problem = visit(item);
      if (problem !== null) return problem;
    }
    open.delete(value);
    done.add(value);
    return null;
  };
  return visit(root);
}
