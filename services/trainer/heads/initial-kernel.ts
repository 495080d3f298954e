import type { DenseShape } from '../../core/network/head-variables.ts';
import { initStream } from '../../core/rng/stream.ts';

/** Returns Keras' `GlorotUniform` kernel of a layer, drawn from ("init", tensor). Biases start as zeros. */
export function initialKernel({ name, inputCount, outputCount }: DenseShape, seed: number): Float32Array {
  const limit = Math.sqrt(6 / (inputCount + outputCount));
  return initStream(seed, `${name}/kernel`).fillUniform(new Float32Array(inputCount * outputCount), -limit, limit);
}
