import type { LayerGraph, Padding } from './layer-graph.ts';
import type { ConvLayer, DepthwiseLayer, Layer } from './layer-graph.ts';

export type Activation = 'linear' | 'relu' | 'relu6';

/** A convolution with the padding before it and the normalisation and activation after it: computed in one go. */
export interface ConvolutionUnit {
  readonly kind: 'convolution';
  readonly layer: ConvLayer | DepthwiseLayer;
  readonly padding: Padding;
  /** Name of the BatchNormalization layer after it. */
  readonly norm: string | null;
  readonly activation: Activation;
  readonly inputs: readonly number[];
  /** Position of the layer whose output this is. */
  readonly output: number;
}

export interface PlainUnit {
  readonly kind: 'plain';
  readonly layer: Exclude<Layer, ConvLayer | DepthwiseLayer>;
  readonly inputs: readonly number[];
  readonly output: number;
}

export type Unit = ConvolutionUnit | PlainUnit;

/** The layers after position `from` (−1: the preprocessed image) up to and including `to`, grouped into units, in order. */
export function fuseLayers(graph: LayerGraph, from: number, to: number): readonly Unit[] {
  const fuser = new Fuser(graph, to);
  const units: Unit[] = [];
  let position = from + 1;
  while (position <= to) {
    const unit = fuser.unitAt(position);
    units.push(unit);
    position = unit.output + 1;
  }
  return units;
}

class Fuser {
  private readonly graph: LayerGraph;
  private readonly to: number;
  private readonly readerCounts: readonly number[];

  constructor(graph: LayerGraph, to: number) {
    this.graph = graph;
    this.to = to;
    const counts = graph.layers.map(() => 0);
    for (const inputs of graph.inputsOf) {
      for (const input of inputs) if (input >= 0) counts[input] = (counts[input] ?? 0) + 1;
    }
    this.readerCounts = counts;
  }

  unitAt(start: number): Unit {
    const inputs = this.graph.inputsOf[start] ?? [];
    let position = start;
    let layer = this.layerAt(start);
    let padding: Padding | null = null;
    if (layer.kind === 'zero-pad') {
      const next = this.onlyReader(start);
      if ((next?.kind !== 'conv' && next?.kind !== 'depthwise') || !this.padsLikeSame(start, layer.padding, next)) {
        return { kind: 'plain', layer, inputs, output: start };
      }
      layer = next;
      position = start + 1;
      padding = 'same';
    }
    if (layer.kind !== 'conv' && layer.kind !== 'depthwise') return { kind: 'plain', layer, inputs, output: position };
    return this.convolution(layer, padding ?? layer.padding, inputs, position);
  }

  private convolution(
    layer: ConvLayer | DepthwiseLayer,
    padding: Padding,
    inputs: readonly number[],
    start: number,
  ): ConvolutionUnit {
    let position = start;
    let norm: string | null = null;
    let activation: Activation = layer.kind === 'conv' ? layer.activation : 'linear';
    let next = activation === 'linear' ? this.onlyReader(position) : null;
    if (next?.kind === 'batch-norm') {
      norm = next.name;
      position += 1;
      next = this.onlyReader(position);
    }
    if (next?.kind === 'activation') {
      activation = next.activation;
      position += 1;
    }
    return { kind: 'convolution', layer, padding, norm, activation, inputs, output: position };
  }

  /** The next layer when nothing else reads this position's output and it is still within the range. */
  private onlyReader(position: number): Layer | null {
    const next = position + 1;
    if (next > this.to || this.readerCounts[position] !== 1) return null;
    return this.graph.inputsOf[next]?.includes(position) === true ? this.layerAt(next) : null;
  }

  /** Whether zeros around the image and a "valid" convolution are what TensorFlow's "same" padding does by itself. */
  private padsLikeSame(
    position: number,
    padding: readonly [number, number],
    next: ConvLayer | DepthwiseLayer,
  ): boolean {
    const padded = this.graph.shapes[position]?.[0] ?? 0;
    const size = padded - padding[0] - padding[1];
    const total = Math.max((Math.ceil(size / next.stride) - 1) * next.stride + next.kernelSize - size, 0);
    return next.padding === 'valid' && padding[0] === Math.floor(total / 2) && padding[1] === Math.ceil(total / 2);
  }

  private layerAt(position: number): Layer {
    const layer = this.graph.layers[position];
    if (layer === undefined) throw new RangeError(`${this.graph.backbone} has no layer at position ${position}.`);
    return layer;
  }
}
