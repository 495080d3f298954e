import { tf } from '../engine/engine.ts';
import type { Tensor4D } from '../engine/engine.ts';
import { BackboneError } from '../../core/network/backbone-error.ts';
import type { Backbone, BackboneShape, BackboneTop, ForwardRange } from './backbone.ts';
import type { Weights } from './folded-weights.ts';
import { FrozenNetwork } from './frozen-network.ts';
import { backboneGraph } from '../../core/network/backbone-graph.ts';
import { buildLayerGraph, layerIndex, splittableIndex } from '../../core/network/layer-graph.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import type { ImageShape } from '../../core/network/layer-shapes.ts';
import type { Layer } from '../../core/network/layer.ts';
import { preprocessImages } from './preprocessing.ts';
import type { Preprocessing } from '../../core/network/backbone-definition.ts';
import { TrainableTop } from './trainable-top.ts';

export interface BackboneParts {
  readonly name: string;
  readonly inputSize: number;
  readonly layers: readonly Layer[];
  readonly weights: Weights;
  readonly weightsDigest: string;
  readonly preprocessing: Preprocessing;
}

/**
 * Puts a base together from its layers and weights.
 *
 * @throws BackboneError when the image is too small or a weight is missing or of another shape.
 */
export function createBackbone(parts: BackboneParts): Backbone {
  const graph = buildLayerGraph(parts.name, parts.layers, parts.inputSize);
  checkWeights(graph, parts.weights);
  return new GraphBackbone(parts, graph);
}

/**
 * Returns what a head needs to know of the base whose stored features it reads. It takes a thousandth of a second; reading and
 * hashing a weight file takes 0.3 to 3 s. Layers that Keras adds for published weights only lie before the first convolution and
 * change no shape, so they are left out.
 *
 * @param weightsDigest of the weights that made the features.
 * @throws {BackboneError} for an unknown base or an image that is too small
 */
export function backboneShape(name: string, inputSize: number, weightsDigest: string): BackboneShape {
  return new GraphShape(backboneGraph(name, inputSize), inputSize, weightsDigest);
}

class GraphShape implements BackboneShape {
  readonly name: string;
  readonly inputSize: number;
  readonly weightsDigest: string;
  readonly layers: BackboneShape['layers'];
  protected readonly graph: LayerGraph;

  constructor(graph: LayerGraph, inputSize: number, weightsDigest: string) {
    this.name = graph.backbone;
    this.inputSize = inputSize;
    this.weightsDigest = weightsDigest;
    this.layers = graph.infos;
    this.graph = graph;
  }

  outputShape(layer: string | null): ImageShape {
    return this.graph.shapes[layerIndex(this.graph, layer)] as ImageShape;
  }

  dispose(): void {
    // Shapes hold no tensors.
  }
}

class GraphBackbone extends GraphShape implements Backbone {
  private readonly weights: Weights;
  private readonly network: FrozenNetwork;
  private readonly preprocessing: Preprocessing;
  private readonly tops = new Set<TrainableTop>();

  constructor(parts: BackboneParts, graph: LayerGraph) {
    super(graph, parts.inputSize, parts.weightsDigest);
    this.weights = parts.weights;
    this.network = new FrozenNetwork(graph, parts.weights);
    this.preprocessing = parts.preprocessing;
  }

  forward(input: Tensor4D, range: ForwardRange = {}): Tensor4D {
    const start = range.from ?? null;
    const from = start === null ? -1 : splittableIndex(this.graph, start);
    const to = splittableIndex(this.graph, range.to ?? null);
    if (to <= from) return this.nothingBetween(range);
    this.checkInput(input, from);
    return tf.tidy(() => this.network.run(from < 0 ? this.preprocess(input) : input, from, to));
  }

  createTop(from: string, to: string | null): BackboneTop {
    const fromIndex = layerIndex(this.graph, from);
    const toIndex = splittableIndex(this.graph, to);
    if (fromIndex > toIndex) {
      throw this.error(`"${from}" lies above the cut "${to ?? ''}": nothing of the base would be trained.`, from);
    }
    let split = fromIndex - 1;
    while (split >= 0 && this.graph.infos[split]?.splittable !== true) split--;
    const preprocess = (images: Tensor4D): Tensor4D => this.preprocess(images);
    const top = new TrainableTop(this.graph, this.weights, { split, from: fromIndex, to: toIndex }, preprocess);
    if (top.parameters.length === 0) {
      top.dispose();
      throw this.error(`No layer from "${from}" on has weights to train. Unfreeze more layers.`, from);
    }
    this.tops.add(top);
    return top;
  }

  override dispose(): void {
    this.network.dispose();
    for (const top of this.tops) top.dispose();
    this.tops.clear();
  }

  private preprocess(images: Tensor4D): Tensor4D {
    return preprocessImages(images, this.preprocessing);
  }

  private checkInput(input: Tensor4D, from: number): void {
    const expected = this.graph.shapes[from] ?? [this.inputSize, this.inputSize, 3];
    const received = input.shape.slice(1);
    if (expected.every((size, axis) => size === received[axis])) return;
    const layer = this.graph.layers[from]?.name ?? 'the image input';
    throw this.error(
      `${this.name} at ${this.inputSize} pixels wants [n, ${expected.join(', ')}] after ${layer}; ` +
        `received [${input.shape.join(', ')}].`,
      layer,
    );
  }

  private nothingBetween({ from, to }: ForwardRange): never {
    throw this.error(`There is no layer of ${this.name} after "${from ?? ''}" up to "${to ?? ''}".`, to ?? '');
  }

  private error(message: string, layer: string): BackboneError {
    return new BackboneError(message, { backbone: this.name, layer });
  }
}

function checkWeights(graph: LayerGraph, weights: Weights): void {
  for (const { name, shape } of graph.weights.flat()) {
    const layer = name.slice(0, name.lastIndexOf('/'));
    const weight = weights.get(name);
    if (weight === undefined) {
      throw new BackboneError(
        `The weights don't fit ${graph.backbone}: layer ${layer} needs "${name}" of shape [${shape.join(', ')}], which is missing.`,
        { backbone: graph.backbone, layer },
      );
    }
    if (weight.shape.length !== shape.length || weight.shape.some((size, axis) => size !== shape[axis])) {
      throw new BackboneError(
        `The weights don't fit ${graph.backbone}: layer ${layer} needs "${name}" of shape [${shape.join(', ')}], ` +
          `but the file has [${weight.shape.join(', ')}].`,
        { backbone: graph.backbone, layer },
      );
    }
  }
}
