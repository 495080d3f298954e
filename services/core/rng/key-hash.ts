/** A part of a key: text, or a number (any double; −0 counts as 0). */
export type KeyPart = string | number;

/**
 * Hashes key parts to 128 bits with MurmurHash3_x86_128 (Austin Appleby, public domain), seed 0. Not cryptographic and need
 * not be: keys are chosen by Graft, and Philox takes any key. Each part is written with its kind and length before it, so
 * that ("ab", "c") and ("a", "bc"), or 1 and "1", are different keys.
 */
export function hashKeyParts(parts: readonly KeyPart[]): Uint32Array {
  return murmur3(encodeParts(parts));
}

const KIND_TEXT = 1;
const KIND_NUMBER = 2;
const encoder = new TextEncoder();

function encodeParts(parts: readonly KeyPart[]): Uint8Array {
  const texts = parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : null));
  const size = texts.reduce((sum, bytes) => sum + (bytes === null ? 9 : 5 + bytes.length), 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let offset = 0;
  parts.forEach((part, index) => {
    const bytes = texts[index];
    if (bytes) {
      view.setUint8(offset, KIND_TEXT);
      view.setUint32(offset + 1, bytes.length, true);
      out.set(bytes, offset + 5);
      offset += 5 + bytes.length;
    } else {
      view.setUint8(offset, KIND_NUMBER);
      view.setFloat64(offset + 1, finiteNumber(part), true);
      offset += 9;
    }
  });
  return out;
}

function finiteNumber(part: KeyPart): number {
  const value = Number(part);
  if (!Number.isFinite(value))
    throw new RangeError(`A key part must be a string or a finite number; received ${part}.`);
  return value === 0 ? 0 : value;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/** MurmurHash3_x86_128 with seed 0 of the bytes, as four 32-bit words. */
export function murmur3(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blockCount = bytes.length >>> 4;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let block = 0; block < blockCount; block++) {
    const at = block * 16;
    h1 ^= mix(view.getUint32(at, true), C1, 15, C2);
    h1 = (Math.imul(rotateLeft(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= mix(view.getUint32(at + 4, true), C2, 16, C3);
    h2 = (Math.imul(rotateLeft(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= mix(view.getUint32(at + 8, true), C3, 17, C4);
    h3 = (Math.imul(rotateLeft(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= mix(view.getUint32(at + 12, true), C4, 18, C1);
    h4 = (Math.imul(rotateLeft(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const tail = new DataView(new ArrayBuffer(16));
  bytes.subarray(blockCount * 16).forEach((byte, index) => {
    tail.setUint8(index, byte);
  });
  h1 ^= mix(tail.getUint32(0, true), C1, 15, C2) ^ bytes.length;
  h2 ^= mix(tail.getUint32(4, true), C2, 16, C3) ^ bytes.length;
  h3 ^= mix(tail.getUint32(8, true), C3, 17, C4) ^ bytes.length;
  h4 ^= mix(tail.getUint32(12, true), C4, 18, C1) ^ bytes.length;
  return finish(h1, h2, h3, h4);
}

function finish(a: number, b: number, c: number, d: number): Uint32Array {
  let h1 = (a + b + c + d) | 0;
  let h2 = (b + h1) | 0;
  let h3 = (c + h1) | 0;
  let h4 = (d + h1) | 0;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h3 = avalanche(h3);
  h4 = avalanche(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return Uint32Array.of(h1, h2 + h1, h3 + h1, h4 + h1);
}

function mix(word: number, first: number, rotation: number, second: number): number {
  return Math.imul(rotateLeft(Math.imul(word, first), rotation), second);
}

function avalanche(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
