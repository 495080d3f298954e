import type { RunConfig } from '../../core/run-config.ts';
import type { BackboneParts } from '../backbones/graph-backbone.ts';
import { buildLayerGraph } from '../../core/network/layer-graph.ts';
import { baseLayers } from './base-layers.ts';
import { headLayers } from './head-layers.ts';
import type { KerasLayer, KerasModel } from './keras-layer.ts';
import { preprocessingLayer } from './preprocessing-layer.ts';

export interface TrainedModel {
  readonly config: RunConfig;
  readonly backbone: BackboneParts;
  readonly classCount: number;
  /** Values of all trained variables, by their names in the checkpoint. */
  readonly trained: ReadonlyMap<string, Float32Array>;
}

const IMAGE_LAYER = 'image';

/**
 * Describes the model, from 0..255 RGB images to class probabilities, as one list of Keras layers.
 *
 * @param withNormalization see `BaseOptions`.
 */
export function describeModel(model: TrainedModel, withNormalization: boolean): KerasModel {
  const { config, backbone, classCount, trained } = model;
  const size = config.imageSize;
  const graph = buildLayerGraph(backbone.name, backbone.layers, size);
  const image = imageLayer(size);
  const preprocessing = preprocessingLayer(backbone.preprocessing, image.name, size);
  const below = preprocessing === null ? [image] : [image, preprocessing];
  const { cut } = config.backbone;
  const input = below.at(-1)?.name ?? image.name;
  const base = baseLayers({ graph, weights: backbone.weights, trained, cut, input, withNormalization });
  const top = base.at(-1);
  if (top === undefined) throw new RangeError(`The backbone ${backbone.name} has no layers.`);
  const head = headLayers({ config: config.head, classCount, input: top, trained });
  return { name: `graft_${backbone.name.replaceAll('.', '_')}`, layers: [...below, ...base, ...head] };
}

function imageLayer(size: number): KerasLayer {
  const shape = [size, size, 3];
  return { className: 'InputLayer', name: IMAGE_LAYER, config: {}, inputs: [], shape, trainable: true, weights: [] };
}
