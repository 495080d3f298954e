import type { KeyPart } from './key-hash.ts';
import { hashKeyParts } from './key-hash.ts';
import { philoxBlocks } from './philox.ts';

/** Words made at once for single draws; a power of two. */
const BUFFER_WORDS = 64;
/** Words made at once for array fills: small enough for the first-level cache. */
const FILL_WORDS = 4096;
/** 2^-24: a float32 holds 24 bits, so that no draw rounds up to 1. */
const UNIFORM_SCALE = 2 ** -24;

const fillBuffer = new Uint32Array(FILL_WORDS);

/**
 * Random numbers for one purpose. The parts are hashed to 128 bits: 64 are Philox' key, 64 the upper half of its counter; the
 * lower half counts blocks of four words. So a stream is a pure function of its parts: any trainer at any time gets the same
 * numbers, and streams of different parts are independent.
 */
export class RandomStream {
  private readonly key: Uint32Array;
  private readonly buffer = new Uint32Array(BUFFER_WORDS);
  private cursor = BUFFER_WORDS;
  /** Next block; below 2^53, far above what can be drawn. */
  private block = 0;
  private spareNormal: number | null = null;

  constructor(key: Uint32Array) {
    this.key = key;
  }

  /** An integer from 0 to 2^32 − 1. */
  uint32(): number {
    if (this.cursor === BUFFER_WORDS) {
      this.generate(this.buffer);
      this.cursor = 0;
    }
    return this.buffer[this.cursor++] ?? 0;
  }

  /** A float32 number in [0, 1), a multiple of 2^-24. */
  uniform(): number {
    return (this.uint32() >>> 8) * UNIFORM_SCALE;
  }

  /** A number in [low, high); `high` can only come by rounding. */
  uniformBetween(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** A double in [0, 1) with 53 random bits, for draws on a logarithmic scale. */
  uniform53(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  }

  /** A normal number of mean 0 and deviation 1 (Box and Muller). */
  normal(): number {
    if (this.spareNormal !== null) {
      const spare = this.spareNormal;
      this.spareNormal = null;
      return spare;
    }
    // 1 − u is in (0, 1], so that its logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform53()));
    const angle = 2 * Math.PI * this.uniform53();
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A number of the gamma distribution with this shape and scale 1, as its logarithm: small shapes give numbers below 1e-308. */
  private logGamma(shape: number): number {
    // Marsaglia and Tsang (2000) for shapes from 1; a smaller one is the next larger one times uniform^(1 / shape).
    const d = (shape < 1 ? shape + 1 : shape) - 1 / 3;
    for (;;) {
      const x = this.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v <= 0 || Math.log(1 - this.uniform53()) >= (x * x) / 2 + d - d * v + d * Math.log(v)) continue;
      const larger = Math.log(d * v);
      return shape >= 1 ? larger : larger + Math.log(1 - this.uniform53()) / shape;
    }
  }

  /** A number in [0, 1] of the beta distribution. Both shapes are above 0. */
  beta(a: number, b: number): number {
    const first = this.logGamma(a);
    return 1 / (1 + Math.exp(this.logGamma(b) - first));
  }

  /**
   * An integer in [0, bound), without bias (Lemire's multiply-and-reject).
   *
   * @param bound integer, 1 to 2^32.
   * @throws RangeError for another bound.
   */
  int(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(`The bound must be an integer from 1 to 2^32; received ${bound}.`);
    }
    const threshold = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const word = this.uint32();
      if (word < threshold) return word % bound;
    }
  }

  /** 0 … n − 1 in random order (Fisher and Yates). */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, index) => index);
    for (let last = n - 1; last > 0; last--) {
      const other = this.int(last + 1);
      const kept = order[last] ?? 0;
      order[last] = order[other] ?? 0;
      order[other] = kept;
    }
    return order;
  }

  /**
   * Fills with numbers in [low, high) (float32) and returns the array. Starts at a fresh block: single draws before it leave
   * the rest of their block unused, so that what an array gets does not depend on the buffer's size.
   */
  fillUniform(out: Float32Array, low = 0, high = 1): Float32Array {
    const scale = (high - low) * UNIFORM_SCALE;
    this.fill(out.length, (words, count, offset) => {
      for (let index = 0; index < count; index++) out[offset + index] = low + ((words[index] ?? 0) >>> 8) * scale;
    });
    return out;
  }

  /** Fills with normal numbers and returns the array. */
  fillNormal(out: Float32Array, mean = 0, deviation = 1): Float32Array {
    for (let index = 0; index < out.length; index++) out[index] = mean + deviation * this.normal();
    return out;
  }

  private fill(length: number, write: (words: Uint32Array, count: number, offset: number) => void): void {
    // Words that are left of a partly used buffer are dropped: its blocks are counted already.
    this.cursor = BUFFER_WORDS;
    for (let offset = 0; offset < length; offset += FILL_WORDS) {
      const count = Math.min(FILL_WORDS, length - offset);
      const words = fillBuffer.subarray(0, Math.ceil(count / 4) * 4);
      this.generate(words);
      write(words, count, offset);
    }
  }

  private generate(words: Uint32Array): void {
    const [counter2 = 0, counter3 = 0, key0 = 0, key1 = 0] = this.key;
    const high = Math.floor(this.block / 2 ** 32);
    philoxBlocks(words, this.block >>> 0, high, counter2, counter3, key0, key1);
    this.block += words.length / 4;
  }
}

/**
 * The stream of a purpose, for example `createStream(dataSeed, 'shuffle', epoch)`. Throws `RangeError` for a part that is not
 * a string or a finite number.
 */
export function createStream(...parts: readonly KeyPart[]): RandomStream {
  return new RandomStream(hashKeyParts(parts));
}

/** Order of the training images in an epoch (from 1). */
export function shuffleStream(dataSeed: number, epoch: number): RandomStream {
  return createStream(dataSeed, 'shuffle', epoch);
}

/** Augmentation of one image in an epoch (from 1); `imageIndex` is its place in the manifest's training split. */
export function augmentStream(augmentationSeed: number, epoch: number, imageIndex: number): RandomStream {
  return createStream(augmentationSeed, 'augment', epoch, imageIndex);
}

/** RandAugment of one image in an epoch. */
export function randAugmentStream(augmentationSeed: number, epoch: number, imageIndex: number): RandomStream {
  return createStream(augmentationSeed, 'rand augment', epoch, imageIndex);
}

/** MixUp and CutMix of one image in an epoch. */
export function mixStream(augmentationSeed: number, epoch: number, imageIndex: number): RandomStream {
  return createStream(augmentationSeed, 'mix', epoch, imageIndex);
}

/** Pairs of images in a batch of an epoch; `firstIndex` is the batch's first image. */
export function mixBatchStream(augmentationSeed: number, epoch: number, firstIndex: number): RandomStream {
  return createStream(augmentationSeed, 'mix batch', epoch, firstIndex);
}

/** Dropout masks of one step (from 0, counted over the whole stage) of a run. */
export function dropoutStream(seed: number, stage: string, step: number): RandomStream {
  return createStream(seed, 'dropout', stage, step);
}

/** Initial values of one tensor. */
export function initStream(seed: number, tensorName: string): RandomStream {
  return createStream(seed, 'init', tensorName);
}
