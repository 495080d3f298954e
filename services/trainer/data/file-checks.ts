import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatasetProblemCode } from '../../core/dataset.ts';
import type { ProgressListener } from '../engine/progress.ts';
import { decodeAndAverage, ImageDecodeError } from './decode.ts';
import { encodeFingerprint, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH, fingerprintOf } from './fingerprint.ts';
import { foreignFormat } from './image-format.ts';

/** What is known of one image file. */
export interface FileCheck {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Encoded (fingerprint.ts); null where it can't be decoded. */
  readonly fingerprint: string | null;
  /** null: it can be decoded. */
  readonly problem: { readonly code: DatasetProblemCode; readonly reason: string } | null;
}

export interface CheckFilesOptions {
  readonly root: string;
  /** Relative to the root. */
  readonly paths: readonly string[];
  readonly cacheDir: string;
  readonly onProgress?: ProgressListener;
}

/** A remembered check: size, time of change in milliseconds, the result. */
type Memory = Record<string, readonly [number, number, FileCheck]>;

/** Part of the memory's name: another decoder may judge otherwise. */
const MEMORY_VERSION = 3;
const CHUNK_FILES = 32;
/** A file changed so recently may change again within the clock's resolution, unseen. */
const SETTLING_MS = 2000;

/**
 * Hashes every file and decodes it in full: only that finds an image that is cut off. What was found is kept per (path, size,
 * time of change) in `<cacheDir>/index`, so that a second time costs a `stat` per file.
 */
export async function checkFiles(options: CheckFilesOptions): Promise<ReadonlyMap<string, FileCheck>> {
  const { root, paths, cacheDir, onProgress } = options;
  const memoryPath = join(cacheDir, 'index', `${createHash('sha256').update(root).digest('hex').slice(0, 24)}.json`);
  const memory = await readMemory(memoryPath);
  const nextMemory: Memory = {};
  const checks = new Map<string, FileCheck>();
  for (let start = 0; start < paths.length; start += CHUNK_FILES) {
    const chunk = paths.slice(start, start + CHUNK_FILES);
    const files = await Promise.all(chunk.map((path) => openFile(root, path, memory[path])));
    for (const [index, path] of chunk.entries()) {
      const file = files[index];
      if (file === undefined) continue;
      const check = file.known ?? checkContents(file.contents);
      checks.set(path, check);
      if (file.settled) nextMemory[path] = [file.sizeBytes, file.modifiedMs, check];
    }
    onProgress?.({ done: Math.min(start + CHUNK_FILES, paths.length), total: paths.length, detail: 'checking images' });
  }
  await writeMemory(memoryPath, nextMemory);
  return checks;
}

interface OpenedFile {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly settled: boolean;
  readonly known: FileCheck | null;
  readonly contents: Uint8Array | Error;
}

const NO_CONTENTS = new Uint8Array();

async function openFile(root: string, path: string, remembered: Memory[string] | undefined): Promise<OpenedFile> {
  try {
    const { size, mtimeMs } = await stat(join(root, path));
    const known = remembered?.[0] === size && remembered[1] === mtimeMs ? remembered[2] : null;
    const contents = known === null ? await readFile(join(root, path)) : NO_CONTENTS;
    return { sizeBytes: size, modifiedMs: mtimeMs, settled: Date.now() - mtimeMs > SETTLING_MS, known, contents };
  } catch (error) {
    const contents = error instanceof Error ? error : new Error(String(error));
    return { sizeBytes: 0, modifiedMs: 0, settled: false, known: null, contents };
  }
}

function checkContents(contents: Uint8Array | Error): FileCheck {
  if (contents instanceof Error) {
    const code = 'code' in contents ? String(contents.code) : contents.message;
    return {
      sha256: '',
      sizeBytes: 0,
      fingerprint: null,
      problem: { code: 'UNREADABLE', reason: `it can't be read (${code})` },
    };
  }
  const sha256 = createHash('sha256').update(contents).digest('hex');
  return { sha256, sizeBytes: contents.length, ...look(contents) };
}

function look(contents: Uint8Array): Pick<FileCheck, 'fingerprint' | 'problem'> {
  const bad = (code: DatasetProblemCode, reason: string) => ({ fingerprint: null, problem: { code, reason } });
  if (contents.length === 0) return bad('CORRUPT_IMAGE', 'the file is empty');
  const format = foreignFormat(contents);
  if (format !== null) return bad('UNSUPPORTED_FORMAT', `its content is ${format}, whatever its name says`);
  try {
    const cells = decodeAndAverage(contents, FINGERPRINT_HEIGHT, FINGERPRINT_WIDTH);
    return { fingerprint: encodeFingerprint(fingerprintOf(cells)), problem: null };
  } catch (error) {
    if (!(error instanceof ImageDecodeError)) throw error;
    return bad('CORRUPT_IMAGE', error.reason);
  }
}

async function readMemory(path: string): Promise<Memory> {
  try {
    const { version, files } = JSON.parse(await readFile(path, 'utf8')) as { version?: number; files?: Memory };
    return version === MEMORY_VERSION && files !== undefined ? files : {};
  } catch {
    // None yet, or cut off: everything is checked anew.
    return {};
  }
}

async function writeMemory(path: string, files: Memory): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const temporary = `${path}.${process.pid}.part`;
  await writeFile(temporary, JSON.stringify({ version: MEMORY_VERSION, files }));
  await rename(temporary, path);
}
