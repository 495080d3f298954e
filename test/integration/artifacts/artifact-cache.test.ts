import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ArtifactCache,
  ArtifactDigestError,
  copiedNames,
} from '../../../services/platform/artifacts/artifact-cache.ts';
import type { LocalArtifact } from '../../../services/platform/artifacts/artifact-cache.ts';
import type { StoredArtifact } from '../../../services/platform/artifacts/artifact-store.ts';
import { identifyProcess } from '../../../services/platform/lifecycle/process-identity.ts';
import { FILE_DAMAGES, damageFile } from '../../support/damage-file.ts';
import { RemoteStore } from './remote-store.ts';

const KIB = 1024;

describe('ArtifactCache', () => {
  let root: string;
  let store: RemoteStore;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'graft-cache-'));
    store = new RemoteStore(join(root, 'store'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const folder = (): string => join(root, 'cache');
  const newCache = (maxBytes = 1024 * KIB): ArtifactCache => new ArtifactCache({ store, folder: folder(), maxBytes });
  const put = (name: string, sizeBytes = 100 * KIB): Promise<StoredArtifact> =>
    store.write(`features/${name}`, Buffer.alloc(sizeBytes, name));
  const copies = (): readonly string[] =>
    readdirSync(folder())
      .filter((name) => name !== 'pins')
      .map((name) => name.slice(65))
      .sort();
  /** Opens and closes, at a time of its own so that the order is sure. */
  const use = async (cache: ArtifactCache, artifact: StoredArtifact, minute: number): Promise<void> => {
    (await cache.open(artifact))[Symbol.dispose]();
    const name = readdirSync(folder()).find((entry) => entry.startsWith(artifact.sha256));
    utimesSync(join(folder(), name ?? ''), minute * 60, minute * 60);
  };

  it('copies once, however many ask at the same moment', async () => {
    const artifact = await put('a');
    const opened = await Promise.all(Array.from({ length: 6 }, () => newCache().open(artifact)));
    for (const { path } of opened) expect(readFileSync(path)).toEqual(Buffer.alloc(100 * KIB, 'a'));
    expect(store.reads).toEqual([{ uri: 'features/a', offset: 0 }]);
    for (const local of opened) local[Symbol.dispose]();
    expect(copies()).toEqual(['a']);
    expect(readdirSync(join(folder(), 'pins'))).toEqual([]);
    expect(await copiedNames(folder())).toEqual(['a']);
  });

  it('removes what was used least recently, and never what is in use', async () => {
    const cache = newCache(350 * KIB);
    const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map((name) => put(name)));
    await use(cache, a!, 1);
    await use(cache, b!, 2);
    await use(cache, c!, 3);
    await use(cache, a!, 4);
    await use(cache, d!, 5);
    expect(copies()).toEqual(['a', 'c', 'd']);
    using pinned = await cache.open(c!);
    await use(cache, b!, 6);
    await use(cache, a!, 7);
    await use(cache, d!, 8);
    expect(copies()).toContain('c');
    // Larger than all there may be: it is needed, so it is copied, and everything else that can goes.
    await use(cache, await put('large', 400 * KIB), 9);
    expect(copies()).toEqual(['c', 'large']);
    expect(readFileSync(pinned.path)).toEqual(Buffer.alloc(100 * KIB, 'c'));
  });

  it('lets a reader finish whose copy is taken away', async () => {
    const artifact = await put('a');
    using local = await newCache().open(artifact);
    for (const name of readdirSync(folder())) if (name !== 'pins') rmSync(join(folder(), name));
    expect(readFileSync(local.path)).toEqual(Buffer.alloc(100 * KIB, 'a'));
  });

  it('forgets the pins of a process that was killed', async () => {
    const artifact = await put('a');
    const child = fork(fileURLToPath(new URL('./hold-artifact.ts', import.meta.url)), [], {
      execArgv: ['--import', 'tsx'],
      env: { ...process.env, STORE: join(root, 'store'), CACHE: folder(), ARTIFACT: JSON.stringify(artifact) },
    });
    await once(child, 'message');
    const cache = newCache(150 * KIB);
    await use(cache, await put('b'), 1);
    expect(copies()).toEqual(['a', 'b']);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    expect(readdirSync(join(folder(), 'pins'))).toHaveLength(1);
    await use(cache, await put('c'), 2);
    expect(copies()).toEqual(['c']);
    expect(readdirSync(join(folder(), 'pins'))).toEqual([]);
  });

  it('keeps the pins of another container that has the same host name', async () => {
    const cache = newCache(150 * KIB);
    await use(cache, await put('a'), 1);
    const copy = join(folder(), readdirSync(folder()).find((name) => name !== 'pins') ?? '');
    const digest = basename(copy).slice(0, 64);
    const pins = [`${hostname()}~999999-12-0123456789ab~0~${digest}`, `${hostname()}~999999-12~0~${digest}`];
    for (const pin of pins) linkSync(copy, join(folder(), 'pins', pin));
    // The pins and the copy are one file.
    utimesSync(copy, new Date(), statSync(copy).mtime);
    await use(cache, await put('b'), 2);
    expect(copies()).toEqual(['a', 'b']);
    expect(readdirSync(join(folder(), 'pins')).sort()).toEqual(pins.sort());
    const longAgo = new Date(Date.now() - 3 * 3_600_000);
    utimesSync(copy, longAgo, statSync(copy).mtime);
    await use(cache, await put('c'), 3);
    expect(copies()).toEqual(['c']);
    expect(readdirSync(join(folder(), 'pins'))).toEqual([]);
  });

  it.each(['this version', 'an earlier version'])(
    'resumes an interrupted download, and takes over the lock of a killed process of %s',
    async (version) => {
      const artifact = await put('a', 300 * KIB);
      store.breakAfterBytes = 100 * KIB;
      await expect(newCache().open(artifact)).rejects.toThrow('the line broke');
      store.breakAfterBytes = Infinity;
      const part = join(folder(), readdirSync(folder()).find((name) => name.endsWith('.part')) ?? '');
      const partBytes = statSync(part).size;
      expect(partBytes).toBeGreaterThan(0);
      const lock = part.replace('.part', '.lock');
      if (version === 'this version') {
        writeFileSync(lock, JSON.stringify({ ...identifyProcess(process.pid), startTime: '1' }));
      } else {
        // The process may run in another container, so the part must have stopped growing.
        writeFileSync(lock, `${hostname()}~2147483646~`);
        const past = new Date(Date.now() - 90_000);
        for (const file of [lock, part]) utimesSync(file, past, past);
      }
      using local = await newCache().open(artifact);
      expect(readFileSync(local.path)).toEqual(Buffer.alloc(300 * KIB, 'a'));
      expect(store.reads.map(({ offset }) => offset)).toEqual([0, partBytes]);
      expect(copies()).toEqual(['a']);
    },
  );

  it('downloads a damaged partial file again, and refuses a file that is not the registered one', async () => {
    const artifact = await put('a');
    await newCache()
      .open(artifact)
      .then((local: LocalArtifact) => local[Symbol.dispose]());
    const copy = join(folder(), readdirSync(folder()).find((name) => name !== 'pins') ?? '');
    rmSync(copy);
    writeFileSync(`${copy}.part`, Buffer.alloc(50 * KIB, 'x'));
    using local = await newCache().open(artifact);
    expect(readFileSync(local.path)).toEqual(Buffer.alloc(100 * KIB, 'a'));
    const wrong = { ...artifact, sha256: '0'.repeat(64) };
    await expect(newCache().open(wrong)).rejects.toThrow(ArtifactDigestError);
    expect(copies()).toEqual(['a']);
  });

  it.each(FILE_DAMAGES)('fetches a damaged copy again, whichever process had verified it (%s)', async (damage) => {
    const artifact = await put('a');
    const cache = newCache();
    for (const damaged of [false, true, true]) {
      if (damaged) damageFile(join(folder(), readdirSync(folder()).find((name) => name !== 'pins') ?? ''), damage);
      using local = await cache.open(artifact);
      expect(readFileSync(local.path)).toEqual(Buffer.alloc(100 * KIB, 'a'));
    }
    expect(store.reads).toHaveLength(3);
    expect(copies()).toEqual(['a']);
  });

  it('blames the file in the store only when that is damaged too', async () => {
    const artifact = await put('a');
    (await newCache().open(artifact))[Symbol.dispose]();
    damageFile(store.directory.localPath(artifact.uri), 'flip');
    // The copy is right, and nothing else is asked for.
    (await newCache().open(artifact))[Symbol.dispose]();
    const copy = readdirSync(folder()).find((name) => name !== 'pins') ?? '';
    damageFile(join(folder(), copy), 'flip');
    await expect(newCache().open(artifact)).rejects.toThrow(ArtifactDigestError);
    expect(await newCache().isIntact(artifact)).toBe(false);
  });

  it('compares the digest of a copy again only when somebody has written to it', async () => {
    const artifact = await put('a');
    const cache = newCache();
    (await cache.open(artifact))[Symbol.dispose]();
    const copy = join(folder(), readdirSync(folder()).find((name) => name !== 'pins') ?? '');
    const { mtime } = statSync(copy);
    // Behind its back: the bytes are others, and the inode says nothing of it.
    damageFile(copy, 'flip');
    utimesSync(copy, new Date(), mtime);
    using local = await cache.open(artifact);
    expect(readFileSync(local.path)).not.toEqual(Buffer.alloc(100 * KIB, 'a'));
  });

  it('compares the digest of a file that is read in place', async () => {
    const artifact = await store.directory.write('features/here', Buffer.alloc(100 * KIB, 'h'));
    const cache = new ArtifactCache({ store: store.directory, folder: folder(), maxBytes: 0 });
    (await cache.open(artifact))[Symbol.dispose]();
    const path = store.directory.localPath('features/here');
    const { atime, mtime } = statSync(path);
    damageFile(path, 'flip');
    // The time of the last change can be set back, the inode's own can't.
    utimesSync(path, atime, mtime);
    await expect(cache.open(artifact)).rejects.toThrow(ArtifactDigestError);
  });

  it('reads the files of a folder on this machine in place', async () => {
    const artifact = await store.directory.write('features/here', Buffer.from('here'));
    const cache = new ArtifactCache({ store: store.directory, folder: folder(), maxBytes: 0 });
    using local = await cache.open(artifact);
    expect(local.path).toBe(store.directory.localPath('features/here'));
    expect(existsSync(folder())).toBe(false);
    await expect(cache.open({ ...artifact, uri: 'features/none' })).rejects.toThrow(/not in the artifact store/);
    await expect(cache.open({ ...artifact, sizeBytes: 5 })).rejects.toThrow(/has 4 bytes instead of 5/);
  });
});
