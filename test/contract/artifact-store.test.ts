import { createHash } from 'node:crypto';
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactMissingError } from '../../services/core/errors.ts';
import {
  ArtifactExistsError,
  ArtifactSpaceError,
  ArtifactUnwritableError,
  ArtifactUriError,
} from '../../services/platform/artifacts/artifact-store.ts';
import type { ArtifactStore } from '../../services/platform/artifacts/artifact-store.ts';
import { DirectoryArtifactStore } from '../../services/platform/artifacts/directory-artifact-store.ts';
import { S3ArtifactStore } from '../../services/platform/artifacts/s3-artifact-store.ts';
import { startS3Server } from '../support/s3-server.ts';
import { BreakingProxy } from '../support/breaking-proxy.ts';

const s3 = await startS3Server();

/** Kills a writer at its n-th step in the store, for each of these n: all steps of the first files. */
const KILLED_AT = [1, 2, 3, 4, 5, 6, 7, 8, 9];

interface Place extends AsyncDisposable {
  readonly store: ArtifactStore;
  /** Leaves behind what a writer leaves that was killed after sending a part. */
  leaveHalf(uri: string): Promise<void>;
  /** Calls back at each step of a writer, whose environment it returns. */
  watch(onStep: () => void): Promise<{ readonly env: Readonly<Record<string, string>> } & AsyncDisposable>;
}

interface Implementation {
  readonly name: string;
  /** Reason why the store can't be tested here. */
  readonly missing: string | null;
  readonly create: () => Promise<Place>;
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'DirectoryArtifactStore', missing: null, create: createFolder },
  { name: 'S3ArtifactStore', missing: 'reason' in s3 ? s3.reason : null, create: createBucket },
];

for (const { name, missing } of IMPLEMENTATIONS) if (missing !== null) console.log(`${name} is not tested: ${missing}`);

describe.each(IMPLEMENTATIONS.filter(({ missing }) => missing === null))('$name as ArtifactStore', ({ create }) => {
  let place: Place;
  let store: ArtifactStore;

  beforeEach(async () => {
    place = await create();
    ({ store } = place);
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const listed = async (): Promise<readonly (readonly [string, boolean])[]> => {
    const found: (readonly [string, boolean])[] = [];
    for await (const { uri, isTemporary, ageMs } of store.list()) {
      // The test's S3 server gives all unfinished uploads the same old date.
      if (!isTemporary) expect(ageMs).toBeLessThan(60_000);
      found.push([uri, isTemporary]);
    }
    return found.sort();
  };

  it('returns what was written, with its size and digest', async () => {
    const bytes = Buffer.from('a head and its layers');
    const stored = await store.write('checkpoints/run-1/head-0001-best-1.safetensors', bytes);
    expect(stored).toEqual({
      uri: 'checkpoints/run-1/head-0001-best-1.safetensors',
      sizeBytes: bytes.length,
      sha256: digestOf(bytes),
    });
    expect(await store.read(stored.uri)).toEqual(bytes);
    expect(await store.stat(stored.uri)).toEqual({ sizeBytes: bytes.length });
    const path = store.localPath(stored.uri);
    expect(path === null || existsSync(path)).toBe(true);
  });

  it('keeps an empty file', async () => {
    await store.write('empty', Buffer.alloc(0));
    expect(await store.stat('empty')).toEqual({ sizeBytes: 0 });
    expect(await store.read('empty')).toEqual(Buffer.alloc(0));
  });

  it('writes once: the same bytes again are fine, others are refused', async () => {
    const first = await store.writeStream('features/a.bin', chunksOf('one ', 'two ', '', 'three'));
    expect(first.sizeBytes).toBe(13);
    expect(await store.write('features/a.bin', Buffer.from('one two three'))).toEqual(first);
    for (const other of ['one two four!', 'longer than what is there']) {
      await expect(store.write('features/a.bin', Buffer.from(other))).rejects.toThrow(ArtifactExistsError);
    }
    expect((await store.read('features/a.bin')).toString()).toBe('one two three');
    await store.remove('features/a.bin');
    await store.write('features/a.bin', Buffer.from('another'));
    expect((await store.read('features/a.bin')).toString()).toBe('another');
    expect(await listed()).toEqual([['features/a.bin', false]]);
  });

  it('stores content of many parts, and reads it from any offset', { timeout: 60_000 }, async () => {
    const chunk = Buffer.from(Uint8Array.from({ length: 1 << 20 }, (_, index) => (index * 7 + (index >> 8)) % 251));
    const chunks = Array.from({ length: 37 }, (_, index) => Buffer.concat([Buffer.of(index), chunk]));
    const whole = Buffer.concat(chunks);
    const stored = await store.writeStream('features/large.bin', chunks);
    expect(stored).toMatchObject({ sizeBytes: whole.length, sha256: digestOf(whole) });
    for (const offset of [0, 1, 17 * (1 << 20), whole.length - 1, whole.length]) {
      expect(digestOf(await collect(store.readFrom('features/large.bin', offset)))).toBe(
        digestOf(whole.subarray(offset)),
      );
    }
    await expect(store.writeStream('features/large.bin', [...chunks, Buffer.of(1)])).rejects.toThrow(
      ArtifactExistsError,
    );
    expect(await listed()).toEqual([['features/large.bin', false]]);
  });

  it('stores nothing when the stream fails, early or late', async () => {
    await expect(store.writeStream('features/a.bin', brokenChunks(1))).rejects.toThrow('the source broke');
    await expect(store.writeStream('features/a.bin', brokenChunks(40 * 2 ** 20))).rejects.toThrow('the source broke');
    expect(await store.stat('features/a.bin')).toBeNull();
    expect(await listed()).toEqual([]);
  });

  it('hides the partial file of a killed writer, but lists it, and it can be removed', async () => {
    await place.leaveHalf('checkpoints/run-1/c.safetensors');
    expect(await store.stat('checkpoints/run-1/c.safetensors')).toBeNull();
    await expect(store.read('checkpoints/run-1/c.safetensors')).rejects.toThrow(ArtifactMissingError);
    await store.write('checkpoints/run-1/b.safetensors', Buffer.from('b'));
    const [b, half, ...rest] = await listed();
    expect(b).toEqual(['checkpoints/run-1/b.safetensors', false]);
    expect(half?.[0]).toMatch(/^checkpoints\/run-1\/c\.safetensors\..*\.tmp$/);
    expect(half?.[1]).toBe(true);
    expect(rest).toEqual([]);
    await store.write('checkpoints/run-1/c.safetensors', Buffer.from('whole'));
    await store.remove(half?.[0] ?? '');
    await store.remove(half?.[0] ?? '');
    expect(await listed()).toEqual([b, ['checkpoints/run-1/c.safetensors', false]]);
  });

  it('contains complete files only, whichever step a writer is killed at', { timeout: 120_000 }, async () => {
    for (const killedAt of KILLED_AT) {
      let steps = 0;
      const children: ChildProcess[] = [];
      await using watched = await place.watch(() => {
        if (++steps === killedAt) children[0]?.kill('SIGKILL');
      });
      const script = fileURLToPath(new URL('./write-artifacts.ts', import.meta.url));
      const child = fork(script, [], { execArgv: ['--import', 'tsx'], env: { ...process.env, ...watched.env } });
      children.push(child);
      await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
    }
    const whole = (await listed()).filter(([, isTemporary]) => !isTemporary).map(([uri]) => uri);
    for (const uri of whole)
      expect((await store.read(uri)).equals(Buffer.alloc(WRITTEN_BYTES, `${uri} `)), uri).toBe(true);
    // The writers were killed at different steps, and not all after a complete file.
    expect(new Set(whole.map((uri) => uri.split('-')[0])).size).toBeLessThan(KILLED_AT.length);
  });

  it('names the missing artifact', async () => {
    const missing = /datasets\/none\.jsonl is not in the artifact store/;
    await expect(store.read('datasets/none.jsonl')).rejects.toThrow(ArtifactMissingError);
    await expect(store.read('datasets/none.jsonl')).rejects.toThrow(missing);
    await expect(collect(store.readFrom('datasets/none.jsonl', 3))).rejects.toThrow(missing);
    expect(await store.stat('datasets/none.jsonl')).toBeNull();
  });

  it('removes files, including ones that do not exist', async () => {
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
      await expect(collect(store.readFrom(uri, 0))).rejects.toThrow(ArtifactUriError);
      expect(await listed()).toEqual([]);
    },
  );

  it('lets exactly one of several writers of one artifact win', async () => {
    const contents = ['first ', 'second ', 'third '].map((text) => text.repeat(50_000));
    const results = await Promise.allSettled(contents.map((text) => store.write('same', Buffer.from(text))));
    const winners = contents.filter((_, index) => results[index]?.status === 'fulfilled');
    expect(winners).toEqual([(await store.read('same')).toString()]);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ArtifactExistsError);
    }
    expect(await listed()).toEqual([['same', false]]);
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

describe.skipIf('reason' in s3)('S3ArtifactStore that is unwritable', () => {
  it.each([
    ['a bucket that is not there', 'no-such-bucket', () => endpointOf(), /NoSuchBucket/],
    ['a service that is not there', 'graft', () => 'http://127.0.0.1:1', /ECONNREFUSED/],
  ])('%s: says so and what to check', async (_what, bucket, endpoint, reason) => {
    const store = new S3ArtifactStore({ client: clientOf(endpoint()), bucket, prefix: 'p' });
    for (const size of [1, WRITTEN_BYTES]) {
      const written = store.write('features/a.bin', Buffer.alloc(size));
      await expect(written).rejects.toThrow(ArtifactUnwritableError);
      await expect(written).rejects.toThrow(reason);
      await expect(written).rejects.toThrow(/Check the address \(AWS_ENDPOINT_URL_S3/);
    }
  });
});

describe.skipIf('reason' in s3)('S3ArtifactStore over an unreliable connection', () => {
  it('resumes an interrupted download', async () => {
    await using place = await createBucket();
    const bytes = Buffer.alloc(8 * 2 ** 20, 'a line of text, and another one; ');
    await place.store.write('large', bytes);
    await using proxy = await BreakingProxy.start(endpointOf(), { breakAfterBytes: 3 * 2 ** 20 });
    const store = new S3ArtifactStore({ client: clientOf(proxy.address), bucket: place.bucket, prefix: 'p' });
    expect(digestOf(await store.read('large'))).toBe(digestOf(bytes));
    // Data in flight is lost with the connection.
    expect(proxy.breakCount).toBeGreaterThanOrEqual(2);
  });
});

afterAll(async () => {
  if (!('reason' in s3)) await s3[Symbol.asyncDispose]();
});

function createFolder(): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'graft-artifacts-'));
  const store = new DirectoryArtifactStore(root);
  return Promise.resolve({
    store,
    leaveHalf: async (uri) => {
      await store.write(`${uri}.other`, Buffer.from('makes the folder'));
      await store.remove(`${uri}.other`);
      writeFileSync(`${store.localPath(uri)}.host-1-0.tmp`, 'half of i');
    },
    watch: (onStep) => {
      mkdirSync(join(root, 'written'), { recursive: true });
      const watcher = watch(join(root, 'written'), onStep);
      return Promise.resolve({
        env: { STORE: root, SIZE_BYTES: String(WRITTEN_BYTES) },
        [Symbol.asyncDispose]: () => {
          watcher.close();
          return Promise.resolve();
        },
      });
    },
    [Symbol.asyncDispose]: () => {
      rmSync(root, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

let bucketCount = 0;
/** Two parts of an upload to S3. */
const WRITTEN_BYTES = 20 * 2 ** 20;

async function createBucket(): Promise<Place & { readonly bucket: string }> {
  const client = clientOf(endpointOf());
  const bucket = `graft-${bucketCount++}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    bucket,
    store: new S3ArtifactStore({ client, bucket, prefix: 'p' }),
    leaveHalf: async (uri) => {
      const target = { Bucket: bucket, Key: `p/${uri}` };
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(target));
      await client.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: 'half of i' }));
    },
    watch: async (onStep) => {
      const proxy = await BreakingProxy.start(endpointOf(), { onAnswer: onStep });
      const address = {
        STORE: `s3://${bucket}/p`,
        AWS_ENDPOINT_URL_S3: proxy.address,
        SIZE_BYTES: String(WRITTEN_BYTES),
      };
      const account = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
      return { env: { ...address, ...account }, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
    },
    [Symbol.asyncDispose]: () => {
      client.destroy();
      return Promise.resolve();
    },
  };
}

function endpointOf(): string {
  if ('reason' in s3) throw new Error(s3.reason);
  return s3.endpoint;
}

function clientOf(endpoint: string): S3Client {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

/** A store whose content fails like a full disk, after a part was written. */
class FullDiskStore extends DirectoryArtifactStore {
  override write(uri: string, bytes: Uint8Array): ReturnType<ArtifactStore['write']> {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    return this.writeStream(uri, failingAfter(bytes, full));
  }
}

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

async function* brokenChunks(sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < sizeBytes; sent += 2 ** 20) {
    yield await Promise.resolve(Buffer.alloc(Math.min(2 ** 20, sizeBytes - sent)));
  }
  throw new Error('the source broke');
}

function* failingAfter(bytes: Uint8Array, error: Error): Generator<Uint8Array> {
  yield bytes;
  throw error;
}
