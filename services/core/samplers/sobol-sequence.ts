import { hashKeyParts } from '../rng/key-hash.ts';
import { DIRECTION_NUMBERS } from './sobol-direction-numbers.ts';

const BITS = 32;

/** Maximum number of dimensions of a Sobol sequence. */
export const MAX_SOBOL_DIMENSIONS = DIRECTION_NUMBERS.length + 1;

/**
 * Scrambled Sobol points (Owen's nested uniform scrambling by hash, after Laine and Karras 2011 with Burley's constants, JCGT
 * 9(4), 2020), in Gray-code order. Each dimension's first 2^k points hit each of the 2^k equal intervals exactly once, and
 * scrambling keeps that.
 */
export class SobolSequence {
  private readonly directions: readonly Uint32Array[];
  private readonly scrambleSeeds: readonly number[] | null;
  private readonly state: Uint32Array;
  private index = 0;

  /**
   * @param dimensionCount 1 to `MAX_SOBOL_DIMENSIONS`.
   * @param seed null: not scrambled.
   * @throws RangeError for another number of dimensions.
   */
  constructor(dimensionCount: number, seed: number | null) {
    if (!Number.isInteger(dimensionCount) || dimensionCount < 1 || dimensionCount > MAX_SOBOL_DIMENSIONS) {
      throw new RangeError(`A Sobol sequence has 1 to ${MAX_SOBOL_DIMENSIONS} dimensions; received ${dimensionCount}.`);
    }
    const dimensions = Array.from({ length: dimensionCount }, (_, dimension) => dimension);
    this.directions = dimensions.map(directionsOf);
    this.scrambleSeeds =
      seed === null ? null : dimensions.map((dimension) => hashKeyParts([seed, 'sobol', dimension])[0] ?? 0);
    this.state = new Uint32Array(dimensionCount);
  }

  /** Returns the next point, one number in [0, 1) per dimension. */
  next(): number[] {
    const point = Array.from(this.state, (word, dimension) => {
      const seed = this.scrambleSeeds?.[dimension];
      return (seed === undefined ? word : scramble(word, seed)) / 2 ** BITS;
    });
    const bit = 31 - Math.clz32(~this.index & (this.index + 1));
    this.directions.forEach((directions, dimension) => {
      this.state[dimension] = (this.state[dimension] ?? 0) ^ (directions[bit] ?? 0);
    });
    this.index++;
    return point;
  }
}

function directionsOf(dimension: number): Uint32Array {
  const out = new Uint32Array(BITS);
  const row = DIRECTION_NUMBERS[dimension - 1];
  if (row === undefined) {
    for (let bit = 0; bit < BITS; bit++) out[bit] = 1 << (31 - bit);
    return out;
  }
  const [polynomial, ...initial] = row;
  const degree = initial.length;
  for (let bit = 0; bit < BITS; bit++) {
    if (bit < degree) {
      out[bit] = (initial[bit] ?? 0) << (31 - bit);
      continue;
    }
    const base = out[bit - degree] ?? 0;
    let word = base ^ (base >>> degree);
    for (let term = 1; term < degree; term++) {
      if ((polynomial >>> (degree - 1 - term)) & 1) word ^= out[bit - term] ?? 0;
    }
    out[bit] = word;
  }
  return out;
}

function scramble(word: number, seed: number): number {
  return reverseBits(permuteLowToHigh(reverseBits(word), seed)) >>> 0;
}

/** A permutation in which each bit changes only with lower ones; on reversed bits that is Owen's scrambling. */
function permuteLowToHigh(word: number, seed: number): number {
  let x = word;
  x ^= Math.imul(x, 0x3d20adea);
  x = (x + seed) | 0;
  x = Math.imul(x, (seed >>> 16) | 1);
  x ^= Math.imul(x, 0x05526c56);
  x ^= Math.imul(x, 0x53a22864);
  return x;
}

function reverseBits(word: number): number {
  let x = word;
  x = ((x >>> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >>> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >>> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  x = ((x >>> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
  return (x >>> 16) | (x << 16);
}
