import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProgressListener } from '../engine/progress.ts';
import type { FileCheck } from './check-file.ts';
import { decoderCountFor, jobsOf, runDecoders } from './decoder-pool.ts';
import { maxImagePixels } from './image-limit.ts';

export interface CheckFilesOptions {
  readonly root: string;
  /** Paths relative to the root. */
  readonly paths: readonly string[];
  readonly cacheDir: string;
  /** Number of decoder processes; derived from the number of images by default. */
  readonly decoderCount?: number;
  readonly onProgress?: ProgressListener;
}

/** Cached checks by path: size in bytes, modification time in milliseconds, result. */
type Memory = Record<string, readonly [number, number, FileCheck]>;

/** Returns the cache version. It includes the pixel limit, because another limit can change a result. */
function memoryVersion(): string {
  return `4 ${maxImagePixels()}`;
}

/** Number of concurrent `stat` calls. */
const STAT_FILES = 64;
/**
 * Minimum age of a file for its check to be cached: a second change within the clock's resolution would go undetected.
 */
const SETTLING_MS = 2000;

/**
 * Hashes and decodes every file. Results are cached by (path, size, modification time) in `<cacheDir>/index`, so a
 * repeated check costs one `stat` per file.
 */
export async function checkFiles(options: CheckFilesOptions): Promise<ReadonlyMap<string, FileCheck>> {
  const { root, paths, cacheDir, onProgress } = options;
  const memoryPath = join(cacheDir, 'index', `${createHash('sha256').update(root).digest('hex').slice(0, 24)}.json`);
  const memory = await readMemory(memoryPath);
  const files = await lookUp(root, paths, memory);
  const unknown = paths.filter((path) => files.get(path)?.known === null);
  const found = new Map<string, FileCheck>();
  const tell = (): void =>
    onProgress?.({ done: paths.length - unknown.length + found.size, total: paths.length, detail: 'checking images' });
  const jobs = jobsOf(unknown, (share) => ({ kind: 'check', root, paths: share }) as const);
  const { decoderCount = decoderCountFor(unknown.length) } = options;
  await runDecoders(jobs, decoderCount, (job, checks) => {
    for (const [index, check] of checks.entries()) found.set(job.paths[index] ?? '', check);
    tell();
  });
  if (unknown.length === 0) tell();
  const nextMemory: Memory = {};
  const checks = new Map<string, FileCheck>();
  for (const [path, { known, settled, sizeBytes, modifiedMs }] of files) {
    const check = known ?? found.get(path);
    if (check === undefined) throw new Error(`unreachable: ${path} was not checked`);
    checks.set(path, check);
    if (settled) nextMemory[path] = [sizeBytes, modifiedMs, check];
  }
  await writeMemory(memoryPath, nextMemory);
  return checks;
}

interface FoundFile {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly settled: boolean;
  readonly known: FileCheck | null;
}

/** Looks up each file's cached check, in the order of `paths`. */
async function lookUp(root: string, paths: readonly string[], memory: Memory): Promise<ReadonlyMap<string, FoundFile>> {
  const files = new Map<string, FoundFile>();
  for (let start = 0; start < paths.length; start += STAT_FILES) {
    const share = paths.slice(start, start + STAT_FILES);
    const found = await Promise.all(share.map((path) => findFile(root, path, memory[path])));
    for (const [index, file] of found.entries()) files.set(share[index] ?? '', file);
  }
  return files;
}

async function findFile(root: string, path: string, remembered: Memory[string] | undefined): Promise<FoundFile> {
  try {
    const { size, mtimeMs } = await stat(join(root, path));
    const known = remembered?.[0] === size && remembered[1] === mtimeMs ? remembered[2] : null;
    return { sizeBytes: size, modifiedMs: mtimeMs, settled: Date.now() - mtimeMs > SETTLING_MS, known };
  } catch {
    // Reading the file reports the problem.
    return { sizeBytes: 0, modifiedMs: 0, settled: false, known: null };
  }
}

async function readMemory(path: string): Promise<Memory> {
  try {
    const { version, files } = JSON.parse(await readFile(path, 'utf8')) as {
      version?: string | number;
      files?: Memory;
    };
    return version === memoryVersion() && files !== undefined ? files : {};
  } catch {
    // No cache yet, or it is truncated: every file is checked.
    return {};
  }
}

async function writeMemory(path: string, files: Memory): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const temporary = `${path}.${process.pid}.part`;
  await writeFile(temporary, JSON.stringify({ version: memoryVersion(), files }));
  await rename(temporary, path);
}
