import { fromHalves } from '../checkpoints/half-precision.ts';
import type { WeightSpec } from '../../core/network/layer-shapes.ts';

/** Number formats that weights are read from; all become float32. */
export type FloatFormat = 'float16' | 'bfloat16' | 'float32' | 'float64';

export const FORMAT_BYTES: Readonly<Record<FloatFormat, number>> = { float16: 2, bfloat16: 2, float32: 4, float64: 8 };

/**
 * Widens or narrows little-endian numbers to float32. A float64 beyond float32's range becomes infinite, which
 * `valueProblem` refuses.
 *
 * @param bytes begin at a multiple of eight in their buffer.
 */
export function toFloat32(bytes: Uint8Array, format: FloatFormat): Float32Array {
  const { buffer, byteOffset } = bytes;
  const length = bytes.length / FORMAT_BYTES[format];
  switch (format) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, length);
    case 'float64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, length));
    case 'float16': {
      const values = new Float32Array(length);
      fromHalves(new Uint16Array(buffer, byteOffset, length), values);
      return values;
    }
    case 'bfloat16':
      // The upper half of a float32's bits.
      return new Float32Array(
        Uint32Array.from(new Uint16Array(buffer, byteOffset, length), (half) => half << 16).buffer,
      );
  }
}

/**
 * Returns why the values can't be a tensor's, or null. A value that is not finite spreads to some outputs and is hidden by
 * others (ReLU6 makes NaN 0), so that a run would succeed on a damaged base.
 */
export function valueProblem({ role, shape }: WeightSpec, values: Float32Array): string | null {
  const isWrong = role.endsWith('variance') ? isNoVariance : isNotFinite;
  const first = values.findIndex(isWrong);
  if (first !== -1) {
    const count = values.reduce((sum, value) => sum + (isWrong(value) ? 1 : 0), 0);
    const kind = isNotFinite(values[first] ?? 0) ? 'not finite' : 'negative';
    const place = indexText(shape, first);
    return `has ${count} of ${values.length} values that are ${kind}, the first ${values[first] ?? 0} at ${place}`;
  }
  if (role.endsWith('kernel') && values.every((value) => value === 0)) {
    return 'holds nothing but zeros, as a tensor that was never written does';
  }
  return null;
}

function isNotFinite(value: number): boolean {
  return !Number.isFinite(value);
}

/** BatchNormalization takes its square root. */
function isNoVariance(value: number): boolean {
  return !Number.isFinite(value) || value < 0;
}

function indexText(shape: readonly number[], position: number): string {
  const index: number[] = [];
  let rest = position;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${index.join(', ')}]`;
}
