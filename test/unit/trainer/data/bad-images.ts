import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { pictureBytes } from '../../../support/picture.ts';

export interface BadImage {
  /** File name. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** null if TensorFlow decodes it, so that Graft trains on it. */
  readonly problem: {
    readonly code: 'CORRUPT_IMAGE' | 'UNSUPPORTED_FORMAT' | 'IMAGE_TOO_LARGE';
    readonly message: RegExp;
  } | null;
  /** true if it has a single colour, which is reported as a note. */
  readonly isBlank: boolean;
}

/** Width and height in pixels. */
const SIZE = 24;

/** Returns files of the kinds that real collections contain, unusual and broken ones. */
export async function badImages(): Promise<readonly BadImage[]> {
  return [...(await oddImages()), ...(await brokenImages()), ...(await lyingHeaders())];
}

async function oddImages(): Promise<readonly BadImage[]> {
  const pixels = sharp(await pictureBytes('odd', 'png', SIZE));
  const frames = await twoFrames()
    .gif({ delay: [50, 50] })
    .toBuffer();
  return [
    blank('one-pixel.jpg', await pictureBytes('one', 'jpeg', 1)),
    blank('one-pixel.png', await pictureBytes('one', 'png', 1)),
    blank('wide.jpg', await plain(20_000, 1).jpeg().toBuffer()),
    blank('tall.png', await plain(1, 20_000).png().toBuffer()),
    accepted('cmyk.jpg', await pixels.clone().toColourspace('cmyk').jpeg().toBuffer()),
    accepted('deep.png', await pixels.clone().toColourspace('rgb16').png().toBuffer()),
    accepted('transparent.png', await pixels.clone().ensureAlpha(0.5).png().toBuffer()),
    accepted('gray.jpg', await pixels.clone().grayscale().jpeg().toBuffer()),
    blank('animated.gif', frames),
    // TensorFlow identifies the format by content.
    accepted('png-named.jpg', await pixels.clone().png().toBuffer()),
    accepted('web-named.jpg', await pixels.clone().webp().toBuffer()),
    corrupt('web-alpha.jpg', await pixels.clone().ensureAlpha(0.5).webp().toBuffer(), /WebP with transparency/),
    corrupt(
      'web-animated.jpg',
      await twoFrames()
        .webp({ delay: [50, 50] })
        .toBuffer(),
      /WebP with animation/,
    ),
  ];
}

/** Returns a GIF of two frames, of which the second is brighter. */
function twoFrames(): Sharp {
  const values = Buffer.concat([Buffer.alloc(SIZE * SIZE * 3, 90), Buffer.alloc(SIZE * SIZE * 3, 200)]);
  return sharp(values, { raw: { width: SIZE, height: SIZE * 2, channels: 3, pageHeight: SIZE } });
}

async function brokenImages(): Promise<readonly BadImage[]> {
  const jpeg = await pictureBytes('broken', 'jpeg', 200);
  const png = await pictureBytes('broken', 'png', 200);
  const gif = await sharp(png).gif().toBuffer();
  return [
    corrupt('empty.jpg', Buffer.alloc(0), /the file is empty/),
    corrupt('text.jpg', Buffer.from('this is not an image\n'), /Unknown image file format/),
    corrupt('zeros.png', Buffer.alloc(4096), /Unknown image file format/),
    corrupt('half.jpg', jpeg.subarray(0, jpeg.length / 2), /JPEG/i),
    corrupt('without-end.jpg', jpeg.subarray(0, jpeg.length - 100), /JPEG/i),
    corrupt('only-start.jpg', jpeg.subarray(0, 3), /JPEG/i),
    corrupt('half.png', png.subarray(0, png.length / 2), /PNG/i),
    corrupt('half.gif', gif.subarray(0, gif.length / 2), /GIF/i),
    corrupt('half.bmp', bitmap(SIZE, SIZE).subarray(0, 900), /Input size should match/),
    foreign('scan.jpg', await sharp(png).tiff().toBuffer(), /content is TIFF/),
    foreign('page.jpg', Buffer.from('<!DOCTYPE html><title>404</title>'), /content is HTML/),
  ];
}

/** Returns images whose headers state an empty size, or one larger than any memory. */
async function lyingHeaders(): Promise<readonly BadImage[]> {
  const jpeg = await pictureBytes('lying', 'jpeg', SIZE);
  const png = await pictureBytes('lying', 'png', SIZE);
  const gif = await sharp(png).gif().toBuffer();
  return [
    corrupt('no-height.jpg', jpegOfSize(jpeg, SIZE, 0), /JPEG/i),
    tooLarge('huge.jpg', jpegOfSize(jpeg, 65_000, 65_000), /65,000 × 65,000 pixels/),
    corrupt('no-width.png', pngOfSize(png, 0, SIZE), /PNG/i),
    tooLarge('huge.png', pngOfSize(png, 2 ** 31 - 1, 2 ** 31 - 1), /2,147,483,647 × 2,147,483,647 pixels/),
    tooLarge('large.png', pngOfSize(png, 60_000, 60_000), /3,600,000,000 in all/),
    corrupt('no-width.bmp', bitmap(0, SIZE), /Width must be positive/),
    tooLarge('huge.bmp', bitmap(2 ** 31 - 1, 2 ** 31 - 1), /at most 178,956,970 are decoded/),
    // Only the frame's size counts.
    accepted('no-canvas.gif', gifOfSize(gif, 0, 0)),
    corrupt('no-frame.gif', gifFrameOfSize(gif, 0, 0), /GIF/i),
    tooLarge('huge-frame.gif', gifFrameOfSize(gif, 65_535, 65_535), /65,535 × 65,535 pixels/),
  ];
}

function accepted(name: string, bytes: Uint8Array): BadImage {
  return { name, bytes, problem: null, isBlank: false };
}

function blank(name: string, bytes: Uint8Array): BadImage {
  return { name, bytes, problem: null, isBlank: true };
}

function corrupt(name: string, bytes: Uint8Array, message: RegExp): BadImage {
  return { name, bytes, problem: { code: 'CORRUPT_IMAGE', message }, isBlank: false };
}

function foreign(name: string, bytes: Uint8Array, message: RegExp): BadImage {
  return { name, bytes, problem: { code: 'UNSUPPORTED_FORMAT', message }, isBlank: false };
}

function tooLarge(name: string, bytes: Uint8Array, message: RegExp): BadImage {
  return { name, bytes, problem: { code: 'IMAGE_TOO_LARGE', message }, isBlank: false };
}

function plain(width: number, height: number): Sharp {
  return sharp({ create: { width, height, channels: 3, background: { r: 200, g: 100, b: 50 } } });
}

/** Returns a JPEG with another size in its frame header. */
function jpegOfSize(jpeg: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(jpeg);
  const frame = changed.indexOf(Buffer.from([0xff, 0xc0]));
  changed.writeUInt16BE(height, frame + 5);
  changed.writeUInt16BE(width, frame + 7);
  return changed;
}

/** Returns a PNG with another size in its header, and the matching checksum. */
function pngOfSize(png: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(png);
  changed.writeUInt32BE(width, 16);
  changed.writeUInt32BE(height, 20);
  changed.writeUInt32BE(crc32(changed.subarray(12, 29)), 29);
  return changed;
}

/** Returns a GIF with another canvas size. */
function gifOfSize(gif: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(gif);
  changed.writeUInt16LE(width, 6);
  changed.writeUInt16LE(height, 8);
  return changed;
}

/** Returns a GIF with another size of its first frame. */
function gifFrameOfSize(gif: Buffer, width: number, height: number): Buffer {
  const changed = Buffer.from(gif);
  // The separator, left and top (0), then the size.
  const frame = changed.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, SIZE, 0, SIZE, 0]));
  changed.writeUInt16LE(width, frame + 5);
  changed.writeUInt16LE(height, frame + 7);
  return changed;
}

/** Returns a BMP whose header states this size, with the pixels of SIZE × SIZE. */
function bitmap(width: number, height: number): Buffer {
  const header = Buffer.alloc(54);
  header.write('BM');
  header.writeUInt32LE(54 + SIZE * SIZE * 3, 2);
  header.writeUInt32LE(54, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(24, 28);
  return Buffer.concat([header, Buffer.alloc(SIZE * SIZE * 3, 120)]);
}
