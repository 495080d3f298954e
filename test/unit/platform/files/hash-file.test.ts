import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashFileOnce } from '../../../../services/platform/files/hash-file.ts';

const SETTLED_MS = 2_100;

describe('hashFileOnce', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-hash-'));
    path = join(folder, 'weights');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
  /** Returns the number of bytes that this process has read (proc(5)). */
  const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

  it('reads an unchanged file once', async () => {
    const text = 'x'.repeat(8 * 2 ** 20);
    writeFileSync(path, text);
    await sleep(SETTLED_MS);
    const before = bytesRead();
    expect(await hashFileOnce(path, 'sha256')).toBe(digestOf(text));
    const first = bytesRead();
    expect(first - before).toBeGreaterThanOrEqual(text.length);
    expect(await hashFileOnce(path, 'sha256')).toBe(digestOf(text));
    expect(bytesRead() - first).toBeLessThan(text.length / 2);
    expect(await hashFileOnce(path, 'md5')).toBe(createHash('md5').update(text).digest('hex'));
  });

  it('detects other contents of the same size and modification time', async () => {
    writeFileSync(path, 'first');
    await sleep(SETTLED_MS);
    const { atime, mtime } = statSync(path);
    expect(await hashFileOnce(path, 'sha256')).toBe(digestOf('first'));
    writeFileSync(path, 'other');
    utimesSync(path, atime, mtime);
    expect(await hashFileOnce(path, 'sha256')).toBe(digestOf('other'));
    // Too recent to be cached.
    writeFileSync(path, 'third');
    expect(await hashFileOnce(path, 'sha256')).toBe(digestOf('third'));
  });
});
