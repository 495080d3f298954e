import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EnvHttpProxyAgent, fetch } from 'undici';
import type { Response } from 'undici';
import { hashFile } from '../files/hash-file.ts';
import { tryLock } from '../lifecycle/process-lock.ts';

export interface DownloadProgress {
  readonly doneBytes: number;
  /** null if the server does not state it. */
  readonly totalBytes: number | null;
}

export interface DownloadOptions {
  readonly url: string;
  /** Path of the downloaded file; its folder is created, and an existing file is replaced. */
  readonly path: string;
  /** Expected digests, hexadecimal. */
  readonly sha256?: string | null;
  readonly md5?: string | null;
  readonly sizeBytes?: number | null;
  /** Called at most a few times a second. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /**
   * Number of retries after a transient failure (network, 5xx, 408, 429); each resumes where the last one ended. Default 4. A failed
   * name lookup is retried twice at most, and a name that does not exist, a refusal or a bad certificate never.
   */
  readonly retries?: number;
  /** Delay in milliseconds before the first retry, doubled for each further one. Default 500. */
  readonly retryDelayMs?: number;
  /** Time without data in milliseconds after which a connection is given up. Default 30,000. */
  readonly idleTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Thrown when a download fails; the message names the address, the reason and the remedy without network access. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  readonly url: string;
  readonly path: string;
  /** The reason alone. */
  readonly problem: string;
  /** HTTP status of the last response; null if there was none. */
  readonly status: number | null;
  /** True if the same download may succeed later. */
  readonly isTemporary: boolean;

  constructor(options: DownloadOptions, problem: string, status: number | null, cause?: unknown) {
    super(
      `Could not download ${options.url}: ${problem}. ` +
        `Check the network (HTTPS_PROXY sets a proxy), or get the file another way and put it at ${options.path}.`,
      { cause },
    );
    this.url = options.url;
    this.path = options.path;
    this.problem = problem;
    this.status = status;
    this.isTemporary = cause instanceof TryError && cause.maxRetries > 0;
  }
}

/** One failed attempt. */
class TryError extends Error {
  readonly status: number | null;
  /** Most retries after it; 0: none can succeed. */
  readonly maxRetries: number;

  constructor(message: string, status: number | null, maxRetries: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.maxRetries = maxRetries;
  }
}

/**
 * Most retries after an error of the network, by its code; others are limited by `retries` alone. EAI_AGAIN is what a machine without
 * network reports as well; the resolver has repeated the lookup by then, for up to 10 s.
 */
const MAX_RETRIES: ReadonlyMap<string, number> = new Map([
  ['ENOTFOUND', 0],
  ['EAI_AGAIN', 2],
  ['CERT_HAS_EXPIRED', 0],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 0],
  ['SELF_SIGNED_CERT_IN_CHAIN', 0],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 0],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 0],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 0],
]);

const PROGRESS_INTERVAL_MS = 200;

/**
 * Downloads a file. After a failure, the received bytes remain in `<path>.part`, and a retry or a later process resumes
 * from them (HTTP Range with If-Range). The file gets its final name only after its size and digests are verified.
 *
 * @throws {DownloadError} when the server or the network fails; the signal's reason when aborted; errors of the disk and of `onProgress`
 * as they are.
 */
export async function downloadFile(options: DownloadOptions): Promise<void> {
  await mkdir(dirname(options.path), { recursive: true });
  const part = claimPartFile(options.path);
  try {
    await downloadWithRetries(options, part.path);
    await checkFile(options, part.path);
    await rename(part.path, options.path);
  } finally {
    await part.release();
  }
}

interface PartFile {
  readonly path: string;
  release(): Promise<void> | void;
}

/** Returns the part that earlier downloads left, or a part of its own while another download writes that one. */
function claimPartFile(path: string): PartFile {
  const part = `${path}.part`;
  const lock = tryLock(`${part}.lock`);
  if (lock !== null) return { path: part, release: () => lock.release() };
  const own = `${part}.${randomUUID()}`;
  return { path: own, release: () => removeQuietly([own, `${own}.etag`]) };
}

async function downloadWithRetries(options: DownloadOptions, partPath: string): Promise<void> {
  const { retries = 4, retryDelayMs = 500 } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      await downloadOnce(options, partPath);
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof TryError)) throw error;
      if (attempt >= Math.min(retries, error.maxRetries)) {
        throw new DownloadError(options, error.message, error.status, error);
      }
      await delay(retryDelayMs * 2 ** attempt, undefined, options.signal ? { signal: options.signal } : {});
    }
  }
}

async function downloadOnce(options: DownloadOptions, partPath: string): Promise<void> {
  const offset = await fileSize(partPath);
  if (offset === options.sizeBytes) return;
  const timer = new IdleTimer(options.idleTimeoutMs ?? 30_000);
  const signal = options.signal ? AbortSignal.any([timer.signal, options.signal]) : timer.signal;
  const dispatcher = new EnvHttpProxyAgent();
  try {
    const headers = await rangeHeaders(offset, partPath);
    const response = await fetch(options.url, { headers, signal, dispatcher }).catch((error: unknown) => {
      throw networkError(error, timer);
    });
    await receive(options, partPath, offset, response, timer);
  } finally {
    timer.stop();
    await dispatcher.destroy();
  }
}

/** Describes an error of the network. Those of this machine's disk are thrown as they are: another address has them as well. */
function networkError(error: unknown, timer: IdleTimer): TryError {
  const cause = causeOf(error);
  return new TryError(
    timer.signal.aborted ? `no data arrived for ${timer.timeoutMs / 1000} s` : cause.message || cause.name,
    null,
    MAX_RETRIES.get(String(cause.code)) ?? Infinity,
    { cause: error },
  );
}

/** Yields the parts of a body. @throws {TryError} when the connection fails; not for what its consumer throws. */
async function* bodyOf(response: Response, timer: IdleTimer): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) {
      timer.restart();
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw networkError(error, timer);
  }
}

async function rangeHeaders(offset: number, partPath: string): Promise<Record<string, string>> {
  // The bytes must be those of the file, not of a compressed response.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (offset === 0) return headers;
  headers['range'] = `bytes=${offset}-`;
  const etag = await readFile(`${partPath}.etag`, 'utf8').catch(() => '');
  if (etag !== '') headers['if-range'] = etag;
  return headers;
}

async function receive(
  options: DownloadOptions,
  partPath: string,
  offset: number,
  response: Response,
  timer: IdleTimer,
): Promise<void> {
  const { status } = response;
  if (status === 416) {
    // The partial file is longer than the file, so it belongs to another version.
    await removeQuietly([partPath, `${partPath}.etag`]);
    throw new TryError('the file on the server differs from the partial download', status, Infinity);
  }
  if (status !== 200 && status !== 206) {
    await response.body?.cancel().catch(() => undefined);
    const maxRetries = status >= 500 || status === 408 || status === 429 ? Infinity : 0;
    throw new TryError(`the server answered HTTP ${status} ${response.statusText}`.trimEnd(), status, maxRetries);
  }
  const start = status === 206 ? offset : 0;
  const length = response.headers.get('content-length');
  const totalBytes = length === null ? (options.sizeBytes ?? null) : start + Number(length);
  await rememberEtag(response, partPath);
  const doneBytes = await writeBody(options, { partPath, start, totalBytes }, response, timer);
  if (totalBytes !== null && doneBytes < totalBytes) {
    throw new TryError(`the connection ended after ${doneBytes} of ${totalBytes} bytes`, status, Infinity);
  }
}

interface WriteTarget {
  readonly partPath: string;
  readonly start: number;
  readonly totalBytes: number | null;
}

async function writeBody(
  options: DownloadOptions,
  target: WriteTarget,
  response: Response,
  timer: IdleTimer,
): Promise<number> {
  const { partPath, start, totalBytes } = target;
  await using file = await open(partPath, start === 0 ? 'w' : 'r+');
  let doneBytes = start;
  let reportedAt = 0;
  for await (const bytes of bodyOf(response, timer)) {
    await withPath(partPath, file.write(bytes, 0, bytes.length, doneBytes));
    doneBytes += bytes.length;
    if (Date.now() - reportedAt < PROGRESS_INTERVAL_MS) continue;
    reportedAt = Date.now();
    options.onProgress?.({ doneBytes, totalBytes });
  }
  options.onProgress?.({ doneBytes, totalBytes });
  await withPath(partPath, file.sync());
  return doneBytes;
}

/** Adds the path to an error of an open file, which has none. */
async function withPath<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { path }) : error;
  }
}

async function rememberEtag(response: Response, partPath: string): Promise<void> {
  const etag = response.headers.get('etag');
  // A weak ETag does not guarantee equal bytes.
  if (etag === null || etag.startsWith('W/')) {
    await rm(`${partPath}.etag`, { force: true });
    return;
  }
  await using file = await open(`${partPath}.etag`, 'w');
  await file.writeFile(etag);
}

/** Verifies a complete file. A wrong one is deleted, because resuming from it would never succeed. */
async function checkFile(options: DownloadOptions, partPath: string): Promise<void> {
  const problem = await findProblem(options, partPath);
  await rm(`${partPath}.etag`, { force: true });
  if (problem === null) return;
  await rm(partPath, { force: true });
  throw new DownloadError(options, problem, 200);
}

async function findProblem(options: DownloadOptions, partPath: string): Promise<string | null> {
  const size = await fileSize(partPath);
  const { sizeBytes = null } = options;
  if (sizeBytes !== null && size !== sizeBytes) {
    return `the file has ${size} bytes instead of ${sizeBytes}`;
  }
  for (const algorithm of ['sha256', 'md5'] as const) {
    const expected = options[algorithm] ?? null;
    if (expected === null) continue;
    const actual = await hashFile(partPath, algorithm);
    if (actual !== expected.toLowerCase()) return `its ${algorithm} is ${actual} instead of ${expected}`;
  }
  return null;
}

/** A timer that aborts its signal when `restart` has not been called for a while. */
class IdleTimer {
  readonly timeoutMs: number;
  private readonly idle = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.timer = setTimeout(() => {
      this.idle.abort();
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.idle.signal;
  }

  restart(): void {
    this.timer.refresh();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isErrnoException(error) && error.code === 'ENOENT') return 0;
    throw error;
  }
}

async function removeQuietly(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rm(path, { force: true })));
}

/** Returns the actual cause: undici wraps it ("fetch failed"), and Node collects one for each address of a name. */
function causeOf(error: unknown): NodeJS.ErrnoException {
  if (!(error instanceof Error)) return new Error(String(error));
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  const cause = error.cause ?? first;
  return cause instanceof Error ? causeOf(cause) : error;
}

function isErrnoException(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
