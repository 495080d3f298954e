import { createHash } from 'node:crypto';
import { initStream } from '../../core/rng/stream.ts';
import type { WeightTensor } from './backbone.ts';
import type { LayerGraph } from './layer-graph.ts';
import type { WeightSpec } from './layer-shapes.ts';

/** Part of the digest: a change of the formula changes the digest. */
const FORMULA = 'glorot-uniform-philox-1';

/** Keras' default initial values: Glorot uniform kernels, zero biases, identity normalisation. */
export function randomWeights(graph: LayerGraph, seed: number): ReadonlyMap<string, WeightTensor> {
  return new Map(
    graph.weights.flat().map((spec) => [spec.name, { shape: spec.shape, values: initialValues(spec, seed) }]),
  );
}

/** Names the values without making them. */
export function randomWeightsDigest(backbone: string, seed: number): string {
  return createHash('sha256').update(`${FORMULA}\n${backbone}\n${seed}`).digest('hex');
}

function initialValues({ name, role, shape }: WeightSpec, seed: number): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (role === 'gamma' || role === 'moving_variance') return values.fill(1);
  if (role !== 'kernel') return values;
  const [height = 1, width = 1, inputs = 1, outputs = 1] = shape;
  // Keras' `compute_fans`; a depthwise kernel counts as [h, w, channels, 1].
  const limit = Math.sqrt(6 / (height * width * (inputs + outputs)));
  return initStream(seed, name).fillUniform(values, -limit, limit);
}
