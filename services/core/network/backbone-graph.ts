import { backboneDefinition } from './backbones.ts';
import { buildLayerGraph } from './layer-graph.ts';
import type { LayerGraph } from './layer-graph.ts';

/** Graphs that are kept: a sweep may vary backbone and image size, and building one takes up to 3 ms. */
const MAX_KEPT_GRAPHS = 128;
const kept = new Map<string, LayerGraph>();

/**
 * Returns the layers of a backbone with shapes and weights for images of `inputSize` pixels.
 *
 * @param isPublished includes the layers that Keras adds for its published weights.
 * @throws {BackboneError} for an unknown backbone or an image that is too small
 */
export function backboneGraph(name: string, inputSize: number, isPublished = false): LayerGraph {
  const key = `${name} ${inputSize} ${isPublished}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const { layers, publishedLayers = layers } = backboneDefinition(name);
  const graph = buildLayerGraph(name, (isPublished ? publishedLayers : layers)(inputSize), inputSize);
  const [oldest] = kept.keys();
  if (kept.size >= MAX_KEPT_GRAPHS && oldest !== undefined) kept.delete(oldest);
  kept.set(key, graph);
  return graph;
}
