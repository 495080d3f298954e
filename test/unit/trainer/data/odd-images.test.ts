import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import type { PngOptions } from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXIT } from '../../../../services/cli/terminal/exit-codes.ts';
import { readTrainerConfig } from '../../../../services/trainer/config.ts';
import { decodeAndResize, decodeImage, ImageDecodeError } from '../../../../services/trainer/data/decode-image.ts';
import { readImageHeader } from '../../../../services/trainer/data/image-header.ts';
import { boolAttribute, executeOp, typeAttribute } from '../../../../services/trainer/engine/op.ts';
import { tf } from '../../../../services/trainer/engine/engine.ts';
import { pictureBytes, smoothPicture, writeFiles } from '../../../support/picture.ts';
import { checkWithCli, indexFolder } from './check-folder.ts';

const [WIDTH, HEIGHT] = [40, 30];
const GOOD = ['train/cat', 'train/dog', 'validation/cat', 'validation/dog', 'test/cat', 'test/dog'];

let folder: string;
let root: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-odd-images-'));
  root = join(folder, 'data');
  await writeFiles(root, Object.fromEntries(GOOD.map((path) => [`${path}/good.png`, null])));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Returns a gradient from 0 up to below `end`. */
const ramp = (end: number, count = WIDTH * HEIGHT): number[] =>
  Array.from({ length: count }, (_, index) => Math.floor((index / count) * end));

/** Returns a 16-bit grey PNG with a gradient from 0 up to below `end`. */
async function deepPng(end: number): Promise<Buffer> {
  const values = Uint16Array.from(ramp(end));
  return sharp(values, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toBuffer();
}

/** Returns a black PNG whose picture is in its alpha channel. */
async function alphaPng(options: PngOptions = {}, channels: 2 | 4 = 4): Promise<Buffer> {
  const pixels = Buffer.from(ramp(256).flatMap((alpha) => [...Array.from({ length: channels - 1 }, () => 0), alpha]));
  return sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels } })
    .png(options)
    .toBuffer();
}

/** Returns a PNG of one colour without holding its pixels in memory. */
function plainPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(8, 8);
  const rows = deflateSync(Buffer.alloc((width + 1) * height));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', Buffer.alloc(0))]);
}

/** Returns a GIF whose frames have another size than its canvas. */
async function gifFrames(count: number, size: number): Promise<Buffer> {
  const frames = Buffer.concat(Array.from({ length: count }, (_, index) => Buffer.alloc(size * size * 3, index * 40)));
  const gif = sharp(frames, { raw: { width: size, height: size * count, channels: 3, pageHeight: size } });
  const bytes = await gif.gif({ delay: Array.from({ length: count }, () => 50) }).toBuffer();
  bytes.writeUInt16LE(1, 6);
  bytes.writeUInt16LE(1, 8);
  return bytes;
}

describe('an image of too many pixels', () => {
  it('is reported by name before it is decoded: 22,000 × 22,000 pixels in 470 kB', async () => {
    const path = join(root, 'train/cat/large.png');
    await writeFile(path, plainPng(22_000, 22_000));
    expect(statSync(path).size).toBeLessThan(500_000);
    const before = process.memoryUsage().rss;
    const { lines, problems } = await indexFolder(root);
    expect(lines).toEqual(['IMAGE_TOO_LARGE train/cat/large.png!']);
    expect(problems[0]?.message).toBe(
      '"train/cat/large.png": it has 22,000 × 22,000 pixels, 484,000,000 in all; at most 178,956,970 are decoded ' +
        '(GRAFT_MAX_IMAGE_PIXELS). Fix or remove it, or set skip_bad_files.',
    );
    // Decoded, it would take 1.4 GB.
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
    const left = await indexFolder(root, { skipBadFiles: true });
    expect(left.indexed?.images).toHaveLength(6);
    expect(left.lines).toEqual(['IMAGE_TOO_LARGE train/cat/large.png']);
  });

  it('is checked against the setting, again when that has changed', async () => {
    await writeFiles(root, { 'train/cat/wide.png': plainPng(300, 100) });
    vi.stubEnv('GRAFT_MAX_IMAGE_PIXELS', '29999');
    expect((await indexFolder(root)).lines).toEqual(['IMAGE_TOO_LARGE train/cat/wide.png!']);
    vi.stubEnv('GRAFT_MAX_IMAGE_PIXELS', '30000');
    expect((await indexFolder(root)).lines).toEqual(['BLANK_IMAGE train/cat/wide.png']);
    vi.stubEnv('GRAFT_MAX_IMAGE_PIXELS', 'many');
    expect(() => decodeImage(plainPng(1, 1))).toThrow(/GRAFT_MAX_IMAGE_PIXELS: must be an integer from 1 to/);
    expect(readTrainerConfig({}).maxImagePixels).toBe(178_956_970);
    expect(readTrainerConfig({ GRAFT_MAX_IMAGE_PIXELS: '1000' }).maxImagePixels).toBe(1000);
    expect(() => readTrainerConfig({ GRAFT_MAX_IMAGE_PIXELS: '0' })).toThrow(/GRAFT_MAX_IMAGE_PIXELS/);
  });

  it('is detected by the header of each format, and for a GIF by all of its frames', async () => {
    const picture = sharp(await smoothPicture(1));
    const size = { width: 200, height: 140, pixelCount: 28_000, frameCount: 1, bitDepth: 8 };
    const files: readonly (readonly [string, Buffer])[] = [
      ['JPEG', await picture.clone().jpeg().toBuffer()],
      [
        'JPEG',
        await picture
          .clone()
          .jpeg({ progressive: true })
          .withExif({ IFD0: { Copyright: 'x'.repeat(500) } })
          .toBuffer(),
      ],
      ['PNG', await picture.clone().png().toBuffer()],
      ['GIF', await picture.clone().gif().toBuffer()],
      ['WebP', await picture.clone().webp().toBuffer()],
      ['WebP', await picture.clone().webp({ lossless: true }).toBuffer()],
      ['WebP', await picture.clone().ensureAlpha(0.5).webp().toBuffer()],
    ];
    for (const [format, bytes] of files) expect(readImageHeader(bytes), format).toEqual({ format, ...size });
    // The canvas states one pixel.
    expect(readImageHeader(await gifFrames(5, 20))).toMatchObject({ width: 20, pixelCount: 2000, frameCount: 5 });
    vi.stubEnv('GRAFT_MAX_IMAGE_PIXELS', '1999');
    const bytes = await gifFrames(5, 20);
    expect(() => decodeImage(bytes)).toThrow(/20 × 20 pixels and 5 frames, 2,000 in all/);
  });

  it.each([
    // Multiples of eight; the other side follows from the ratio 1:1.
    ['ff0a7f00', 256, 256],
    // Two sides of 30 bits each: 2^30 by 1.
    ['ff0afeffffff010000', 2 ** 30, 1],
    ['0000000c4a584c200d0a870a000000146674797000000000000000000000000000000000', null, null],
  ])('is known by the header of JPEG XL %s', (hex, height, width) => {
    const header = readImageHeader(Buffer.from(hex, 'hex'));
    expect(header === null ? [null, null] : [header.height, header.width]).toEqual([height, width]);
  });

  it('is refused as WebP and JPEG XL with the extension of a JPEG', () => {
    const webp = Buffer.from('524946460000000057454250565038580a00000000000000ffff00ffff000000', 'hex');
    expect(() => decodeImage(webp)).toThrow(/65,536 × 65,536 pixels/);
    const error = catchError(() => decodeImage(Buffer.from('ff0afeffffff010000', 'hex')));
    expect(error).toBeInstanceOf(ImageDecodeError);
    expect(error).toMatchObject({ isTooLarge: true });
  });

  it('is not an image if its header ends early or loops', () => {
    for (const hex of [
      'ffd8ff',
      'ffd8ffffffff',
      '89504e470d0a1a0a',
      '474946383961',
      '424d',
      '52494646',
      'ff0a',
      'ffd8ffe00000ffe00000',
    ]) {
      expect(readImageHeader(Buffer.from(hex, 'hex'))).toBeNull();
    }
  });

  it('is a damaged image if a WebP ends at any byte of its header', async () => {
    const whole = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
      .webp()
      .toBuffer();
    for (let length = 12; length <= 32; length += 1) {
      expect(() => decodeImage(whole.subarray(0, length)), String(length)).toThrow(ImageDecodeError);
    }
  });

  it('has the same pixels when it is large but within the limit', async () => {
    const bytes = await sharp(await smoothPicture(3))
      .resize(2400, 1800, { fit: 'fill' })
      .jpeg()
      .toBuffer();
    const found = decodeAndResize(bytes, 61);
    const wanted = tf.tidy(() => {
      const cast = [typeAttribute('SrcT', 'uint8'), typeAttribute('DstT', 'float32')];
      const resize = [
        typeAttribute('T', 'float32'),
        boolAttribute('align_corners', false),
        boolAttribute('half_pixel_centers', true),
      ];
      const image = tf.expandDims(executeOp('Cast', cast, [decodeImage(bytes).pixels]), 0);
      return executeOp('ResizeBilinear', resize, [image, tf.tensor1d([61, 61], 'int32')]);
    });
    expect(Buffer.from(found.buffer).equals(Buffer.from(wanted.dataSync<'float32'>().buffer))).toBe(true);
    wanted.dispose();
  });
});

describe('a blank image', () => {
  it('is reported with its cause, and still used', async () => {
    await writeFiles(root, {
      'train/cat/alpha.png': await alphaPng(),
      'train/cat/alpha-gray.png': await alphaPng({}, 2),
      'train/cat/twelve-bits.png': await deepPng(4096),
      'train/cat/fourteen-bits.png': await deepPng(16_384),
      'train/cat/paper.jpg': await noisePng(250, 4),
      'train/dog/plain.png': plainPng(20, 20),
      // None of these is blank: a texture with equal averages, one line on paper, values of all 16 bits, a dark
      // photograph.
      'train/dog/texture.png': await pictureBytes('texture', 'png', 200),
      'train/dog/line.png': await linePng(),
      'train/dog/sixteen-bits.png': await deepPng(65_536),
      'train/dog/dark.png': await noisePng(30, 30),
    });
    const { indexed, lines, problems } = await indexFolder(root);
    expect(lines).toEqual([
      'BLANK_IMAGE train/cat/alpha-gray.png',
      'BLANK_IMAGE train/cat/alpha.png',
      'BLANK_IMAGE train/cat/fourteen-bits.png',
      'BLANK_IMAGE train/cat/paper.jpg',
      'BLANK_IMAGE train/cat/twelve-bits.png',
      'BLANK_IMAGE train/dog/plain.png',
    ]);
    const messageOf = (name: string): string => problems.find(({ path }) => path.endsWith(name))?.message ?? '';
    expect(messageOf('/alpha.png')).toBe(
      '"train/cat/alpha.png" is blank as decoded for training: all its values are 0 of 255. The picture is in its transparency ' +
        '(alpha channel), which is not read: put it on a background first.',
    );
    expect(messageOf('alpha-gray.png')).toContain('alpha channel');
    expect(messageOf('twelve-bits.png')).toContain('its values are 0 to 15 of 255. Its 16-bit values end at 4,09');
    expect(messageOf('fourteen-bits.png')).toContain('its values are 0 to 63 of 255. Its 16-bit values end at 16,3');
    expect(messageOf('plain.png')).toMatch(/all its values are 0 of 255\.$/);
    expect(indexed?.images).toHaveLength(16);
  });

  it('is counted and named by `graft dataset check`, which lists each problem once', { timeout: 60_000 }, async () => {
    const images = Array.from(
      { length: 24 },
      (_, index) => [`train/cat/${index + 10}.png`, alphaPng({ compressionLevel: index % 9 })] as const,
    );
    for (const [path, bytes] of images) await writeFile(join(root, path), await bytes);
    await writeFiles(root, { 'train/cat/notes.txt': 'x', 'train/.DS_Store': 'x' });
    const { code, out, err } = await checkWithCli(root, folder, ['--allow-duplicates']);
    expect(code, err).toBe(0);
    expect(out).toContain(`${root} can be trained on`);
    expect(out).toContain('note   BLANK_IMAGE, 24 times:\n         "train/cat/10.png" is blank');
    expect(out.match(/is blank as decoded/g)).toHaveLength(20);
    expect(out).toContain('         … and 4 more (--output json lists up to 500 of a kind)');
    expect(out).toContain('note   UNSUPPORTED_FORMAT: "train/cat/notes.txt" has no extension of an image');
    expect(out.match(/\.DS_Store/g)).toHaveLength(1);
    await writeFile(join(root, 'test/dog/large.png'), plainPng(300, 100));
    const refused = await checkWithCli(root, folder, ['--allow-duplicates'], { GRAFT_MAX_IMAGE_PIXELS: '29999' });
    expect(refused.code).toBe(EXIT.usage);
    expect(refused.out).toMatch(/^error {2}IMAGE_TOO_LARGE: "test\/dog\/large\.png": it has 300 × 100 pixels/);
    expect(refused.err).toContain("can't be trained on: 1 problem.");
  });
});

it('lists 500 problems of a kind and counts the others', async () => {
  const names = Array.from({ length: 507 }, (_, index) => `train/cat/${index}.txt`);
  await writeFiles(root, Object.fromEntries(names.map((name) => [name, 'x'])));
  const { problems } = await indexFolder(root);
  expect(problems).toHaveLength(501);
  const rest = { code: 'UNSUPPORTED_FORMAT', path: '', message: '7 more are not listed.', fatal: false, count: 7 };
  expect(problems.at(-1)).toEqual(rest);
});

/** Returns grey noise around a value; as a JPEG its range is that of paper. */
async function noisePng(middle: number, spread: number): Promise<Buffer> {
  const values = Buffer.from(
    ramp(WIDTH * HEIGHT).map((index) => middle + ((index * 7919) % (spread + 1)) - spread / 2),
  );
  const image = sharp(values, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } });
  return spread < 10 ? image.jpeg({ quality: 95 }).toBuffer() : image.png().toBuffer();
}

/** Returns a white picture with a line one pixel wide. */
async function linePng(): Promise<Buffer> {
  const values = Buffer.alloc(400 * 400, 255);
  for (let x = 0; x < 400; x += 1) values[200 * 400 + x] = 0;
  return sharp(values, { raw: { width: 400, height: 400, channels: 1 } })
    .png()
    .toBuffer();
}

function catchError(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
