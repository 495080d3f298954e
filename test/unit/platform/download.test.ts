import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import dns from 'node:dns';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DownloadError, downloadFile } from '../../../services/platform/http/download.ts';
import { identifyProcess } from '../../../services/platform/lifecycle/process-identity.ts';

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const MD5 = createHash('md5').update(CONTENT).digest('hex');
const ETAG = '"v1"';

describe('downloadFile', () => {
  let folder: string;
  let path: string;
  let server: Server | null = null;
  let requests: IncomingMessage[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-download-'));
    path = join(folder, 'new', 'file.bin');
    requests = [];
  });

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = null;
    rmSync(folder, { recursive: true });
  });

  async function serve(listener: RequestListener): Promise<string> {
    const started = createServer((request, response) => {
      requests.push(request);
      listener(request, response);
    });
    server = started;
    await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(started.address() as AddressInfo).port}/file.bin`;
  }

  function parts(): readonly string[] {
    return [`${path}.part`, `${path}.part.etag`, `${path}.part.lock`].filter((file) => existsSync(file));
  }

  it('downloads, checks both digests and the size, reports progress and leaves nothing else behind', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    const seen: number[] = [];
    await downloadFile({
      url,
      path,
      sha256: SHA256,
      md5: MD5.toUpperCase(),
      sizeBytes: CONTENT.length,
      onProgress: ({ doneBytes, totalBytes }) => {
        expect(totalBytes).toBe(CONTENT.length);
        seen.push(doneBytes);
      },
    });
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
    expect(seen.at(-1)).toBe(CONTENT.length);
    expect(parts()).toEqual([]);
  });

  it('resumes after a broken connection', async () => {
    const url = await serve((request, response) => {
      answer(request, response, requests.length === 1 ? 100_000 : null);
    });
    await downloadFile({ url, path, sha256: SHA256, retryDelayMs: 1 });
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
    expect(requests).toHaveLength(2);
    const range = /^bytes=(\d+)-$/.exec(requests[1]?.headers.range ?? '');
    expect(Number(range?.[1])).toBeGreaterThan(0);
    expect(requests[1]?.headers['if-range']).toBe(ETAG);
  });

  it('resumes in a later call, even in another process', async () => {
    const url = await serve((request, response) => {
      answer(request, response, requests.length === 1 ? 150_000 : null);
    });
    await expect(downloadFile({ url, path, sha256: SHA256, retries: 0 })).rejects.toThrow(DownloadError);
    expect(parts()).toContain(`${path}.part`);
    await downloadFile({ url, path, sha256: SHA256, retries: 0 });
    expect(requests[1]?.headers.range).toMatch(/^bytes=[1-9]/);
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
  });

  it('starts over when the file on the server has changed', async () => {
    const old = Buffer.alloc(120_000, 1);
    const url = await serve((request, response) => {
      if (requests.length > 1) answer(request, response);
      else {
        response.writeHead(200, { etag: '"v0"', 'content-length': String(CONTENT.length) });
        response.write(old, () => response.destroy());
      }
    });
    await downloadFile({ url, path, sha256: SHA256, retryDelayMs: 1 });
    expect(requests[1]?.headers['if-range']).toBe('"v0"');
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
  });

  it('discards a partial file that is longer than the file', async () => {
    const url = await serve((request, response) => {
      if (request.headers.range === undefined) answer(request, response);
      else response.writeHead(416).end();
    });
    path = join(folder, 'file.bin');
    writeFileSync(`${path}.part`, Buffer.alloc(CONTENT.length + 5));
    await downloadFile({ url, path, sha256: SHA256, retryDelayMs: 1 });
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
  });

  it('refuses a wrong digest and does not keep the file', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    const wrong = '0'.repeat(64);
    await expect(downloadFile({ url, path, sha256: wrong })).rejects.toThrow(
      `its sha256 is ${SHA256} instead of ${wrong}`,
    );
    expect(existsSync(path)).toBe(false);
    expect(parts()).toEqual([]);
  });

  it('refuses a wrong size', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    await expect(downloadFile({ url, path, sizeBytes: 7 })).rejects.toThrow('300000 bytes instead of 7');
  });

  it('reports address, status and remedy without a retry when the file does not exist', async () => {
    const url = await serve((_request, response) => response.writeHead(404).end());
    const failure = await downloadFile({ url, path }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DownloadError);
    expect(failure).toMatchObject({ url, path, status: 404 });
    expect(String(failure)).toContain(`put it at ${path}`);
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['ENOTFOUND', 1, false],
    ['EAI_AGAIN', 3, true],
    ['ECONNRESET', 5, true],
  ])('tries a lookup or connection that fails with %s %i times', async (code, tries, isTemporary) => {
    const lookup = vi.spyOn(dns, 'lookup').mockImplementation((...args: unknown[]) => {
      const answer = args.at(-1) as (error: Error) => void;
      setImmediate(() => answer(Object.assign(new Error(`getaddrinfo ${code} weights.test`), { code })));
    });
    try {
      const failure = await downloadFile({ url: 'http://weights.test/w.h5', path, retryDelayMs: 1 }).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ problem: `getaddrinfo ${code} weights.test`, isTemporary });
      expect(lookup).toHaveBeenCalledTimes(tries);
    } finally {
      lookup.mockRestore();
    }
  });

  it('retries a refused connection, and names it although the name has several addresses', async () => {
    const url = await serve(() => undefined);
    server?.close();
    server = null;
    const failure = await downloadFile({ url: url.replace('127.0.0.1', 'localhost'), path, retryDelayMs: 1 }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ isTemporary: true });
    expect(String(failure)).toContain('ECONNREFUSED');
  });

  it('retries after 503', async () => {
    const url = await serve((request, response) => {
      if (requests.length < 3) response.writeHead(503).end();
      else answer(request, response);
    });
    await downloadFile({ url, path, sha256: SHA256, retryDelayMs: 1 });
    expect(requests).toHaveLength(3);
  });

  it('gives up a silent connection', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('abc');
    });
    const download = downloadFile({ url, path, retries: 0, idleTimeoutMs: 50 });
    await expect(download).rejects.toThrow('no data arrived for 0.05 s');
  });

  it('reports why the server is unreachable', async () => {
    const url = await serve((_request, response) => response.end());
    await new Promise((resolve) => server?.close(resolve));
    await expect(downloadFile({ url, path, retries: 1, retryDelayMs: 1 })).rejects.toThrow(/ECONNREFUSED/);
  });

  it('throws what the progress listener throws, without another try', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    const stopped = new Error('stopped');
    const onProgress = () => {
      throw stopped;
    };
    await expect(downloadFile({ url, path, retryDelayMs: 1, onProgress })).rejects.toBe(stopped);
    expect(requests).toHaveLength(1);
    expect(existsSync(`${path}.part.lock`)).toBe(false);
  });

  it('throws the error of a full disk as it is, without another try', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    path = join(folder, 'file.bin');
    symlinkSync('/dev/full', `${path}.part`);
    await expect(downloadFile({ url, path, retryDelayMs: 1 })).rejects.toMatchObject({
      name: 'Error',
      code: 'ENOSPC',
      path: `${path}.part`,
    });
    expect(requests).toHaveLength(1);
  });

  it('stops with the reason of the signal', async () => {
    const stop = new AbortController();
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('abc', () => {
        stop.abort(new Error('enough'));
      });
    });
    await expect(downloadFile({ url, path, signal: stop.signal })).rejects.toThrow('enough');
    expect(existsSync(`${path}.part.lock`)).toBe(false);
  });

  it('uses its own partial file while another process loads the same file', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    path = join(folder, 'file.bin');
    writeFileSync(`${path}.part.lock`, JSON.stringify(identifyProcess(process.ppid)));
    writeFileSync(`${path}.part`, 'of the other process');
    await downloadFile({ url, path, sha256: SHA256 });
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
    expect(readFileSync(`${path}.part`, 'utf8')).toBe('of the other process');
  });

  it('takes over the partial file of a dead process', async () => {
    const url = await serve((request, response) => {
      answer(request, response);
    });
    path = join(folder, 'file.bin');
    writeFileSync(`${path}.part.lock`, '999999999');
    writeFileSync(`${path}.part`, CONTENT.subarray(0, 50_000));
    await downloadFile({ url, path, sha256: SHA256 });
    expect(requests[0]?.headers.range).toBe('bytes=50000-');
    expect(readFileSync(path).equals(CONTENT)).toBe(true);
  });
});

/** Serves the content with ranges; closes the connection after `cutAfter` bytes. */
function answer(request: IncomingMessage, response: ServerResponse, cutAfter: number | null = null): void {
  const ifRange = request.headers['if-range'];
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const isPartial = start > 0 && (ifRange === undefined || ifRange === ETAG);
  const body = isPartial ? CONTENT.subarray(start) : CONTENT;
  response.writeHead(isPartial ? 206 : 200, { etag: ETAG, 'content-length': String(body.length) });
  if (cutAfter === null) response.end(body);
  else response.write(body.subarray(0, cutAfter), () => response.destroy());
}
