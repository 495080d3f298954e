import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactMissingError } from '../../services/core/errors.ts';
import { ArtifactSpaceError, ArtifactUriError } from '../../services/platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../services/platform/artifacts/artifact-store.ts';
import { DirectoryArtifactStore } from '../../services/platform/artifacts/directory-artifact-store.ts';

interface Implementation {
  readonly name: string;
  readonly create: (root: string) => ArtifactStore;
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'DirectoryArtifactStore', create: (root) => new DirectoryArtifactStore(root) },
];

describe.each(IMPLEMENTATIONS)('$name as ArtifactStore', ({ create }) => {
  let root: string;
  let store: ArtifactStore;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'graft-artifacts-'));
    store = create(root);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('returns what was written, with its size and digest', async () => {
    const bytes = Buffer.from('a head and its layers');
    const stored = await store.write('checkpoints/run-1/head-0001-best-1.safetensors', bytes);
    expect(stored).toEqual({
      uri: 'checkpoints/run-1/head-0001-best-1.safetensors',
      sizeBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(await store.read(stored.uri)).toEqual(bytes);
    expect(await store.stat(stored.uri)).toEqual({ sizeBytes: bytes.length });
    expect(existsSync(store.localPath(stored.uri))).toBe(true);
  });

  it('writes a stream and replaces an older file', async () => {
    await store.write('features/a.bin', Buffer.from('old'));
    const stored = await store.writeStream('features/a.bin', chunksOf('one ', 'two ', '', 'three'));
    expect(stored.sizeBytes).toBe(13);
    expect((await store.read('features/a.bin')).toString()).toBe('one two three');
  });

  it('keeps the old file and nothing else when the stream breaks', async () => {
    await store.write('features/a.bin', Buffer.from('old'));
    await expect(store.writeStream('features/a.bin', brokenChunks())).rejects.toThrow('the source broke');
    expect((await store.read('features/a.bin')).toString()).toBe('old');
    expect(readdirSync(join(root, 'features'))).toEqual(['a.bin']);
  });

  it('lists what there is, also what a killed writer left', async () => {
    const listed = async () => {
      const found: [string, boolean][] = [];
      for await (const { uri, isTemporary, ageMs } of store.list()) {
        expect(ageMs).toBeLessThan(60_000);
        found.push([uri, isTemporary]);
      }
      return found.sort();
    };
    expect(await listed()).toEqual([]);
    await store.write('features/a.bin', Buffer.from('a'));
    await store.write('checkpoints/run-1/b.safetensors', Buffer.from('b'));
    await store.write('checkpoints/run-1/c.safetensors.host-1-0.tmp', Buffer.from('c'));
    expect(await listed()).toEqual([
      ['checkpoints/run-1/b.safetensors', false],
      ['checkpoints/run-1/c.safetensors.host-1-0.tmp', true],
      ['features/a.bin', false],
    ]);
  });

  it('says which artifact is missing', async () => {
    await expect(store.read('datasets/none.jsonl')).rejects.toThrow(ArtifactMissingError);
    await expect(store.read('datasets/none.jsonl')).rejects.toThrow(
      /datasets\/none\.jsonl is not in the artifact store/,
    );
    expect(await store.stat('datasets/none.jsonl')).toBeNull();
  });

  it('removes, also what is not there', async () => {
    await store.write('a/b', Buffer.from('x'));
    await store.remove('a/b');
    await store.remove('a/b');
    expect(await store.stat('a/b')).toBeNull();
  });

  it.each(['', '/etc/passwd', '../secret', 'a/../../b', 'a/./b', 'a//b', 'a/', 'a\\..\\b', 'C:/b', 'a\0b'])(
    'refuses the uri %j',
    async (uri) => {
      expect(() => store.localPath(uri)).toThrow(ArtifactUriError);
      await expect(store.write(uri, Buffer.from('x'))).rejects.toThrow(ArtifactUriError);
      expect(readdirSync(root)).toEqual([]);
    },
  );

  it('is not mixed up by two writers of one artifact', async () => {
    const contents = ['first '.repeat(50_000), 'second '.repeat(50_000)];
    await Promise.all(contents.map((text) => store.write('same', Buffer.from(text))));
    expect(contents).toContain((await store.read('same')).toString());
    expect(readdirSync(root)).toEqual(['same']);
  });
});

describe('DirectoryArtifactStore on a full disk', () => {
  it('names the disk, the artifact and the remedy', async () => {
    const root = mkdtempSync(join(tmpdir(), 'graft-artifacts-'));
    const store = new FullDiskStore(root);
    await expect(store.write('features/a.bin', Buffer.from('x'))).rejects.toThrow(ArtifactSpaceError);
    await expect(store.write('features/a.bin', Buffer.from('x'))).rejects.toThrow(
      /is full: features\/a\.bin .* Free some space/,
    );
    expect(readdirSync(join(root, 'features'))).toEqual([]);
    rmSync(root, { recursive: true, force: true });
  });
});

/** The content itself fails the way a full disk does, after a part was written. */
class FullDiskStore extends DirectoryArtifactStore {
  override write(uri: string, bytes: Uint8Array): ReturnType<ArtifactStore['write']> {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    return this.writeStream(uri, failingAfter(bytes, full));
  }
}

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

async function* brokenChunks(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from('half of it'));
  throw new Error('the source broke');
}

function* failingAfter(bytes: Uint8Array, error: Error): Generator<Uint8Array> {
  yield bytes;
  throw error;
}
