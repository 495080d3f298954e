import type { LayerGraph } from './layer-graph.ts';
import { valueCountOf } from './layer-shapes.ts';
import type { ImageShape } from './layer-shapes.ts';
import type { Layer } from './layer.ts';

/** The image. */
const IMAGE = -1;

/** Activations that a convolution's kernel applies before it writes its result (`trainer/backbones/fused-convolution.ts`). */
const FUSED_ACTIVATIONS: readonly string[] = ['linear', 'relu', 'relu6'];

/**
 * Returns for each layer the values that exist at the moment of a forward pass in which the layer is computed: outputs that a later
 * layer still reads (a residual block keeps its input until the addition), the layer's own output, and what its kernels write in
 * between.
 *
 * @param shapes outputs of the layers
 */
export function liveValues(graph: LayerGraph, shapes: readonly ImageShape[], image: ImageShape): Float64Array {
  const counts = shapes.map(valueCountOf);
  const sizeOf = (buffer: number): number => (buffer === IMAGE ? valueCountOf(image) : (counts[buffer] ?? 0));
  const buffers = buffersOf(graph);
  const lastReads = lastReadsOf(graph, buffers);
  const alive = new Set([IMAGE]);
  return Float64Array.from(graph.layers, (layer, position) => {
    const buffer = buffers[position] ?? position;
    alive.add(buffer);
    let total = between(layer, buffer === position, sizeOf(position), sizeOf(graph.inputsOf[position]?.[0] ?? IMAGE));
    for (const one of alive) {
      total += sizeOf(one);
      if ((lastReads.get(one) ?? Infinity) <= position) alive.delete(one);
    }
    return total;
  });
}

/** Returns the layer in whose output each layer leaves its own: a previous one, if the layer changes the values of that in place. */
function buffersOf({ layers, inputsOf }: LayerGraph): readonly number[] {
  const readerCounts = new Map<number, number>();
  for (const input of inputsOf.flat()) readerCounts.set(input, (readerCounts.get(input) ?? 0) + 1);
  const buffers: number[] = [];
  for (const [position, { kind }] of layers.entries()) {
    const [input = IMAGE] = inputsOf[position] ?? [];
    const isMerged = kind === 'batch-norm' || kind === 'activation' || kind === 'identity' || kind === 'zero-pad';
    const merges = isMerged && input !== IMAGE && readerCounts.get(input) === 1;
    buffers.push(merges ? (buffers[input] ?? input) : position);
  }
  return buffers;
}

/** Returns the last layer that reads each buffer; none for the base's output. */
function lastReadsOf({ inputsOf }: LayerGraph, buffers: readonly number[]): ReadonlyMap<number, number> {
  const lastReads = new Map<number, number>();
  for (const [position, inputs] of inputsOf.entries()) {
    for (const input of inputs) lastReads.set(buffers[input] ?? IMAGE, position);
  }
  return lastReads;
}

/** Returns the values that a layer's kernels write besides its output. */
function between(layer: Layer, hasOwnBuffer: boolean, outputCount: number, inputCount: number): number {
  switch (layer.kind) {
    case 'separable':
      // The depthwise result.
      return inputCount;
    case 'activation':
      // The sigmoid and its product.
      return FUSED_ACTIVATIONS.includes(layer.activation) ? 0 : 2 * outputCount;
    case 'batch-norm':
      // Scaled, then shifted.
      return hasOwnBuffer ? outputCount : 0;
    default:
      return 0;
  }
}
