/**
 * IEEE 754 binary16 for feature sets on disk: 11 significant bits, ±65504. JavaScript has no such array before Node 24, and
 * tfjs no such tensor.
 */

const LARGEST = 65_504;
/** Midpoint between the largest number and the next step; smaller values round to the largest number. */
const OVERFLOW = 65_520;

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/**
 * Converts to float16, rounding to the nearest, ties to even. Infinities and NaN are kept.
 *
 * @throws {RangeError} for a finite number that would become infinite (from ±65520).
 */
export function toHalves(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let index = 0; index < bits.length; index++) halves[index] = halfOf(bits[index] ?? 0);
  return halves;
}

/** Converts from float16, exactly. */
export function fromHalves(halves: Uint16Array, target: Float32Array): void {
  const table = (halfTable ??= makeTable());
  for (let index = 0; index < halves.length; index++) target[index] = table[halves[index] ?? 0] ?? 0;
}

let halfTable: Float32Array | null = null;

/** Returns the table of all values (256 KB). A lookup takes a nanosecond, a third of decoding the bits. */
function makeTable(): Float32Array {
  return Float32Array.from({ length: 1 << 16 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

/** @param bits of a float32. */
function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  if (exponent > 142 || (exponent === 142 && fraction >= 0x7ff000)) return refuse(bits);
  // Normal numbers of float16 keep their fraction; subnormal ones are multiples of 2⁻²⁴.
  if (exponent >= 113) return sign | roundBits(((exponent - 112) << 23) | fraction, 13);
  return exponent < 102 ? sign : sign | roundBits(fraction | 0x800000, 126 - exponent);
}

/** Drops low bits, rounding to the nearest, ties to even. A carry into the exponent is correct. */
function roundBits(value: number, dropped: number): number {
  const kept = value >>> dropped;
  const rest = value & ((1 << dropped) - 1);
  const half = 1 << (dropped - 1);
  return kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0);
}

function refuse(bits: number): never {
  scratchBits[0] = bits;
  throw new RangeError(
    `A feature is ${scratch[0] ?? 0}, but the largest float16 is ${LARGEST} (${OVERFLOW} and more become infinite). ` +
      'Set feature_dtype to float32 for this backbone and cut.',
  );
}
