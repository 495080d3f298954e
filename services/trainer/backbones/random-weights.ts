import { createHash } from 'node:crypto';
import { initStream } from '../../core/rng/stream.ts';
import type { WeightTensor } from './backbone.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import type { WeightSpec } from '../../core/network/layer-shapes.ts';

/** Name of the formula. It is hashed into the digest: another formula gives another digest. */
const FORMULA = 'glorot-uniform-philox-1';

/** Keras' initial values: Glorot uniform kernels (or as the layer says), zero biases, identity normalisation. */
export function randomWeights(graph: LayerGraph, seed: number): ReadonlyMap<string, WeightTensor> {
  return new Map(
    graph.weights.flat().map((spec) => [spec.name, { shape: spec.shape, values: initialValues(spec, seed) }]),
  );
}

/** Returns the digest of the values without computing them. */
export function randomWeightsDigest(backbone: string, seed: number): string {
  return createHash('sha256').update(`${FORMULA}\n${backbone}\n${seed}`).digest('hex');
}

function initialValues({ name, role, shape, initializer }: WeightSpec, seed: number): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (role === 'gamma' || role === 'moving_variance' || role === 'variance') return values.fill(1);
  if (!role.endsWith('kernel')) return values;
  const [height = 1, width = 1, inputs = 1, outputs = 1] = shape;
  if (initializer === 'fan-out-normal') {
    return fillTruncatedNormal(values, Math.sqrt(2 / (height * width * outputs)), { name, seed });
  }
  // Keras' `compute_fans`; a depthwise kernel counts as [h, w, channels, 1].
  const limit = Math.sqrt(6 / (height * width * (inputs + outputs)));
  return initStream(seed, name).fillUniform(values, -limit, limit);
}

/** Standard deviation of a standard normal number that is redrawn until it lies within ±2. */
const TRUNCATED_DEVIATION = 0.87962566103423978;

/** Keras' `VarianceScaling(distribution="truncated_normal")`. */
function fillTruncatedNormal(
  values: Float32Array,
  deviation: number,
  { name, seed }: { readonly name: string; readonly seed: number },
): Float32Array {
  const stream = initStream(seed, name);
  const scale = deviation / TRUNCATED_DEVIATION;
  for (let index = 0; index < values.length; index++) {
    let value = stream.normal();
    while (Math.abs(value) > 2) value = stream.normal();
    values[index] = value * scale;
  }
  return values;
}
