import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchCatsVsDogs, PUBLISHED_COUNTS } from '../../../services/cli/dataset/fetch-cats-vs-dogs.ts';
import type { FetchOptions } from '../../../services/cli/dataset/fetch-cats-vs-dogs.ts';
import { SPLITS } from '../../../services/core/dataset.ts';

/** Files of a zip archive, in the order in which they are written: not that of their numbers, as in Microsoft's. */
function zipOf(files: readonly (readonly [string, Buffer])[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const data = deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const header = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, Buffer.from(name)]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\u0001\u0002'), Buffer.from([20, 0]), common, tail, Buffer.from(name)]));
    local.push(header, data);
    offset += header.length + data.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, Buffer.from('PK\u0005\u0006'), end]);
}

/** A JPEG by its first bytes; the rest names it. */
function jpeg(name: string): Buffer {
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.from(name.repeat(40))]);
}

const COUNTS = { train: 3, validation: 2, test: 2 };

/** Twelve numbers per class; cat 1 is empty, dog 4 is a GIF, dog 5 is missing. */
function archive(): Buffer {
  const files: (readonly [string, Buffer])[] = [
    ['PetImages/Thumbs.db', Buffer.from('x')],
    ['readme[1].txt', Buffer.from('x')],
  ];
  for (const folder of ['Dog', 'Cat']) {
    for (const index of [10, 11, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const name = `PetImages/${folder}/${index}.jpg`;
      if (name.endsWith('Dog/5.jpg')) continue;
      const bytes = name.endsWith('Cat/1.jpg')
        ? Buffer.alloc(0)
        : name.endsWith('Dog/4.jpg')
          ? Buffer.from('GIF89a')
          : jpeg(name);
      files.push([name, bytes]);
    }
  }
  return zipOf(files);
}

describe('fetching cats-vs-dogs', () => {
  const bytes = archive();
  let folder: string;
  let server: Server;
  /** Bytes after which the connection is cut, one per answer; null: it is not. */
  let cuts: (number | null)[];
  let ranges: (string | undefined)[];
  let cutNow: () => void;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-fetch-'));
    cuts = [];
    ranges = [];
    server = createServer((request, response) => {
      ranges.push(request.headers.range);
      const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const body = bytes.subarray(start);
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': body.length,
        etag: '"1"',
        ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
      });
      const cut = cuts.shift() ?? null;
      if (cut === null) response.end(body);
      else response.write(body.subarray(0, cut));
      // Cut when the client has taken what came: what is on the way is lost with a connection.
      cutNow = (): void => {
        if (cut !== null) response.destroy();
      };
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  function options(change: Partial<FetchOptions> = {}): FetchOptions {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pets.zip`;
    return {
      archive: { url, sizeBytes: bytes.length },
      archivePath: join(folder, 'downloads', 'pets.zip'),
      outDir: join(folder, 'pets'),
      counts: COUNTS,
      keepArchive: false,
      onProgress: () => cutNow(),
      ...change,
    };
  }

  function listed(): Record<string, readonly string[]> {
    const byNumber = (a: string, b: string): number => Number(a.split('.')[1]) - Number(b.split('.')[1]);
    return Object.fromEntries(
      SPLITS.flatMap((split) =>
        ['cat', 'dog'].map((name) => [
          `${split}/${name}`,
          readdirSync(join(folder, 'pets', split, name)).sort(byNumber),
        ]),
      ),
    );
  }

  it('takes the images in order, and replaces each that is empty, not JPEG or missing by the next', async () => {
    const result = await fetchCatsVsDogs(options());
    expect(listed()).toEqual({
      'train/cat': ['cat.0.jpg', 'cat.2.jpg', 'cat.3.jpg'],
      'validation/cat': ['cat.4.jpg', 'cat.5.jpg'],
      'test/cat': ['cat.6.jpg', 'cat.7.jpg'],
      'train/dog': ['dog.0.jpg', 'dog.1.jpg', 'dog.2.jpg'],
      'validation/dog': ['dog.3.jpg', 'dog.6.jpg'],
      'test/dog': ['dog.7.jpg', 'dog.8.jpg'],
    });
    expect(result).toMatchObject({
      imageCount: 14,
      skipped: ['PetImages/Cat/1.jpg', 'PetImages/Dog/4.jpg'],
      wasThere: false,
    });
    expect(readFileSync(join(folder, 'pets/validation/dog/dog.6.jpg'))).toEqual(jpeg('PetImages/Dog/6.jpg'));
    expect(existsSync(join(folder, 'downloads', 'pets.zip'))).toBe(false);
  });

  it('resumes where the connection was cut', async () => {
    cuts = [700, 300];
    await fetchCatsVsDogs(options({ keepArchive: true }));
    expect(ranges).toEqual([undefined, 'bytes=700-', 'bytes=1000-']);
    expect(readFileSync(join(folder, 'downloads', 'pets.zip'))).toEqual(bytes);
  });

  it('resumes in a later call, after an interruption', async () => {
    cuts = [700];
    const interrupt = new AbortController();
    const first = fetchCatsVsDogs(options({ signal: interrupt.signal, onProgress: () => interrupt.abort() }));
    await expect(first).rejects.toThrow();
    expect(existsSync(join(folder, 'pets'))).toBe(false);
    await fetchCatsVsDogs(options());
    expect(ranges).toEqual([undefined, 'bytes=700-']);
    expect(existsSync(join(folder, 'pets/test/dog/dog.8.jpg'))).toBe(true);
  });

  it('does nothing when the folder exists', async () => {
    await fetchCatsVsDogs(options());
    expect(await fetchCatsVsDogs(options())).toMatchObject({ wasThere: true });
    expect(ranges).toHaveLength(1);
  });

  it('leaves no folder behind when the archive has too few images', async () => {
    await expect(fetchCatsVsDogs(options({ counts: { train: 9, validation: 9, test: 9 } }))).rejects.toThrow(
      'too few JPEG images in PetImages/Cat: 12 numbers, 1 of them not JPEG',
    );
    expect(existsSync(join(folder, 'pets'))).toBe(false);
  });

  it('publishes images 0–999, 1000–1499 and 1500–2499 of each class', () => {
    expect(PUBLISHED_COUNTS).toEqual({ train: 1_000, validation: 500, test: 1_000 });
  });
});
