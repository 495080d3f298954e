/** Properties that an image file's header states, read without decoding. */
export interface ImageHeader {
  readonly format: 'JPEG' | 'PNG' | 'GIF' | 'BMP' | 'WebP' | 'JPEG XL';
  readonly width: number;
  readonly height: number;
  /**
   * Pixels that a decoder holds in memory; for a GIF those of all frames, because it is read whole for its first frame.
   */
  readonly pixelCount: number;
  /** Number of frames of a GIF; 1 for other formats, of which one picture is decoded. */
  readonly frameCount: number;
  /** Bits per channel. */
  readonly bitDepth: number;
}

/**
 * Reads the header of an image in a format that TensorFlow decodes.
 *
 * @returns null for another format and for a truncated header; the decoder then reports the problem.
 */
export function readImageHeader(contents: Uint8Array): ImageHeader | null {
  const bytes = Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength);
  for (const [format, read] of READERS) {
    try {
      const size = read(bytes);
      if (size === null) continue;
      const { width, height, pixelCount = width * height, frameCount = 1, bitDepth = 8 } = size;
      return { format, width, height, pixelCount, frameCount, bitDepth };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return null;
    }
  }
  return null;
}

type HeaderSize = Pick<ImageHeader, 'width' | 'height'> & Partial<ImageHeader>;

/**
 * Readers by format. Each returns null for bytes of another format and throws RangeError if the file ends too early.
 */
const READERS: readonly (readonly [ImageHeader['format'], (bytes: Buffer) => HeaderSize | null])[] = [
  ['JPEG', jpegSize],
  ['PNG', pngSize],
  ['GIF', gifSize],
  ['BMP', bmpSize],
  ['WebP', webpSize],
  ['JPEG XL', jpegXlSize],
];

/**
 * Returns whether a marker is a frame header (SOF0 to SOF15), excluding the tables in that number range (DHT, JPG,
 * DAC).
 */
function isFrameMarker(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

/** Returns whether a marker has no segment: TEM, RST0 to RST7, SOI, and stuffed bytes. */
function isLoneMarker(marker: number): boolean {
  return marker === 0x00 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

function jpegSize(bytes: Buffer): HeaderSize | null {
  if (bytes.length < 3 || bytes.readUIntBE(0, 3) !== 0xffd8ff) return null;
  let at = 2;
  for (;;) {
    // As in libjpeg, bytes that are not a marker are skipped, and a marker may be padded with FF.
    while (bytes.readUInt8(at) !== 0xff) at += 1;
    while (bytes.readUInt8(at) === 0xff) at += 1;
    const marker = bytes.readUInt8(at);
    at += 1;
    if (isFrameMarker(marker)) {
      return {
        height: bytes.readUInt16BE(at + 3),
        width: bytes.readUInt16BE(at + 5),
        bitDepth: bytes.readUInt8(at + 2),
      };
    }
    if (!isLoneMarker(marker)) at += bytes.readUInt16BE(at);
  }
}

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function pngSize(bytes: Buffer): HeaderSize | null {
  if (!bytes.subarray(0, 8).equals(PNG_SIGNATURE)) return null;
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), bitDepth: bytes.readUInt8(24) };
}

/** Sums the frames, because giflib reads all of them into memory regardless of the canvas size. */
function gifSize(bytes: Buffer): HeaderSize | null {
  if (!['GIF87a', 'GIF89a'].includes(bytes.toString('latin1', 0, 6))) return null;
  let [width, height, pixelCount, frameCount] = [0, 0, 0, 0];
  let at = 13 + colorTableBytes(bytes.readUInt8(10));
  // A truncated file counts as far as it reads: its frames are allocated before the truncation is detected.
  while (at + 10 <= bytes.length) {
    const block = bytes.readUInt8(at);
    if (block === 0x21) {
      at = afterSubBlocks(bytes, at + 2);
    } else if (block === 0x2c) {
      const [frameWidth, frameHeight] = [bytes.readUInt16LE(at + 5), bytes.readUInt16LE(at + 7)];
      if (frameCount === 0) [width, height] = [frameWidth, frameHeight];
      pixelCount += frameWidth * frameHeight;
      frameCount += 1;
      at = afterSubBlocks(bytes, at + 11 + colorTableBytes(bytes.readUInt8(at + 9)));
    } else {
      break;
    }
  }
  return frameCount === 0 ? null : { width, height, pixelCount, frameCount };
}

function colorTableBytes(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1);
}

function afterSubBlocks(bytes: Buffer, start: number): number {
  let at = start;
  for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) at += length + 1;
  return at + 1;
}

function bmpSize(bytes: Buffer): HeaderSize | null {
  if (bytes.toString('latin1', 0, 2) !== 'BM') return null;
  // A negative height means that rows are stored top-down.
  return { width: Math.abs(bytes.readInt32LE(18)), height: Math.abs(bytes.readInt32LE(22)) };
}

function webpSize(bytes: Buffer): HeaderSize | null {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WEBP') return null;
  switch (bytes.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    case 'VP8L': {
      const size = bytes.readUInt32LE(21);
      return { width: (size & 0x3fff) + 1, height: ((size >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8X':
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return null;
  }
}

/** Returns the feature that makes TensorFlow refuse a WebP file with three channels; null if there is none. */
export function webpObstacle(contents: Uint8Array): 'animation' | 'transparency' | null {
  const bytes = Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength);
  if (readImageHeader(bytes)?.format !== 'WebP') return null;
  const chunk = bytes.toString('latin1', 12, 16);
  if (chunk === 'VP8X' && (bytes.readUInt8(20) & 0x02) !== 0) return 'animation';
  if (chunk === 'VP8X' && (bytes.readUInt8(20) & 0x10) !== 0) return 'transparency';
  return chunk === 'VP8L' && (bytes.readUInt32LE(21) & 0x10000000) !== 0 ? 'transparency' : null;
}

const JPEG_XL_CONTAINER = Buffer.from('0000000c4a584c200d0a870a', 'hex');
/** Width-to-height ratios by the number in the header (ISO/IEC 18181-1, SizeHeader); 0 means an explicit width. */
const JPEG_XL_RATIOS: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 1],
  [12, 10],
  [4, 3],
  [3, 2],
  [16, 9],
  [5, 4],
  [2, 1],
];

function jpegXlSize(bytes: Buffer): HeaderSize | null {
  const start = jpegXlStart(bytes);
  if (start === null) return null;
  let bit = (start + 2) * 8;
  const take = (count: number): number => {
    let value = 0;
    for (let place = 0; place < count; place += 1, bit += 1) {
      value += ((bytes.readUInt8(bit >> 3) >> (bit & 7)) & 1) * 2 ** place;
    }
    return value;
  };
  const isSmall = take(1) === 1;
  const length = (): number => (isSmall ? (take(5) + 1) * 8 : take([9, 13, 18, 30][take(2)] ?? 30) + 1);
  const height = length();
  const [over, under] = JPEG_XL_RATIOS[take(3)] ?? [0, 0];
  return { height, width: over === 0 ? length() : Math.floor((height * over) / under) };
}

/** Returns the offset of the code stream, which starts immediately or in a box of the container. */
function jpegXlStart(bytes: Buffer): number | null {
  if (bytes.length >= 2 && bytes.readUInt16BE(0) === 0xff0a) return 0;
  if (!bytes.subarray(0, 12).equals(JPEG_XL_CONTAINER)) return null;
  for (let at = 12; ;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const content = at + (length === 1 ? 16 : 8);
    if (type === 'jxlc') return content;
    // The part number precedes the data.
    if (type === 'jxlp') return content + 4;
    // A length of 0 means that the box extends to the end of the file.
    if (length === 0) return null;
    at += Math.max(8, length === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : length);
  }
}
