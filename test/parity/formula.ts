/** A closed formula of (name, index) that fills weights and images on both sides; `formula.py` is its twin. */

/** Returns numbers in [−1, 1). */
export function formulaUniform(name: string, shape: readonly number[]): Float64Array {
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 16777619);
  const values = new Float64Array(product(shape));
  for (let index = 0; index < values.length; index++) {
    let x = (Math.imul(index, 2654435761) + seed) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x7feb352d);
    x ^= x >>> 15;
    x = Math.imul(x, 0x846ca68b);
    x ^= x >>> 16;
    values[index] = (x >>> 0) / 2 ** 31 - 1;
  }
  return values;
}

export function formulaWeight(name: string, shape: readonly number[]): Float32Array {
  const role = name.slice(name.lastIndexOf('/') + 1);
  const values = formulaUniform(name, shape);
  if (role.endsWith('kernel')) {
    const fanIn = product(shape.at(-1) === 1 ? shape.slice(0, 2) : shape.slice(0, 3));
    // Small enough that rounding errors do not grow from layer to layer, as they would in a random network with He's
    // scale.
    const scale = Math.sqrt(3 / fanIn);
    return rescale(values, scale, 0);
  }
  if (role === 'count') return new Float32Array(values.length);
  if (role === 'gamma') return rescale(values, 0.2, 1);
  if (role.endsWith('variance')) return rescale(values, 0.5, 1);
  return rescale(values, 0.2, 0);
}

/** Returns integers from 0 to 255: neighbouring pixels are unrelated, the hardest case for interpolation. */
export function formulaImages(name: string, shape: readonly number[]): Float32Array {
  return Float32Array.from(formulaUniform(name, shape), (value) => Math.floor((value + 1) * 128));
}

function rescale(values: Float64Array, factor: number, offset: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let index = 0; index < values.length; index++) result[index] = offset + factor * (values[index] ?? 0);
  return result;
}

function product(shape: readonly number[]): number {
  return shape.reduce((result, size) => result * size, 1);
}
