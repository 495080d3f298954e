import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { isConvolution } from '../../core/network/layer.ts';
import type { Activation, ConvolutionLayer, Layer, Padding } from '../../core/network/layer.ts';

/** A convolution with the padding before it and the normalisation and activation after it: computed in one go. */
export interface ConvolutionUnit {
  readonly kind: 'convolution';
  readonly layer: ConvolutionLayer;
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
  readonly layer: Exclude<Layer, ConvolutionLayer>;
  readonly inputs: readonly number[];
  readonly output: number;
}

export type Unit = ConvolutionUnit | PlainUnit;

/**
 * Groups the layers after position `from` (−1: the preprocessed image) up to and including `to` into units, in order.
 * Layers without effect in inference are omitted.
 */
export function fuseLayers(graph: LayerGraph, from: number, to: number): readonly Unit[] {
  const fuser = new Fuser(graph, from, to);
  const units: Unit[] = [];
  // Branches interleave, so a unit's layers need not be neighbours.
  const fused = new Set<number>();
  for (let position = from + 1; position <= to; position++) {
    if (fused.has(position) || fuser.isSkipped(position)) continue;
    const { unit, positions } = fuser.unitAt(position);
    units.push(unit);
    for (const covered of positions) fused.add(covered);
  }
  return units;
}

interface FusedUnit {
  readonly unit: Unit;
  readonly positions: readonly number[];
}

class Fuser {
  private readonly graph: LayerGraph;
  private readonly from: number;
  private readonly to: number;
  private readonly readers: readonly (readonly number[])[];

  constructor(graph: LayerGraph, from: number, to: number) {
    this.graph = graph;
    this.from = from;
    this.to = to;
    const readers: number[][] = graph.layers.map(() => []);
    for (const [position, inputs] of graph.inputsOf.entries()) {
      for (const input of inputs) readers[input]?.push(position);
    }
    this.readers = readers;
  }

  isSkipped(position: number): boolean {
    return position !== this.to && this.layerAt(position).kind === 'identity';
  }

  unitAt(start: number): FusedUnit {
    const inputs = (this.graph.inputsOf[start] ?? []).map((input) => this.sourceOf(input));
    const layer = this.layerAt(start);
    if (isConvolution(layer)) {
      const padding = layer.kind === 'separable' ? 'same' : layer.padding;
      return this.convolution({ layer, padding, inputs }, [start]);
    }
    if (layer.kind === 'zero-pad') {
      const reader = this.onlyReader(start);
      const next = reader === null ? null : this.layerAt(reader);
      const isPadded = next?.kind === 'conv' || next?.kind === 'depthwise';
      if (reader !== null && isPadded && this.padsLikeSame(start, layer.padding, next)) {
        return this.convolution({ layer: next, padding: 'same', inputs }, [start, reader]);
      }
    }
    return { unit: { kind: 'plain', layer, inputs, output: start }, positions: [start] };
  }

  private convolution(
    start: Pick<ConvolutionUnit, 'layer' | 'padding' | 'inputs'>,
    covered: readonly number[],
  ): FusedUnit {
    const positions = [...covered];
    let output = positions.at(-1) ?? 0;
    let norm: string | null = null;
    let activation: Activation = start.layer.kind === 'conv' ? start.layer.activation : 'linear';
    const next = (): Layer | null => {
      const reader = activation === 'linear' ? this.onlyReader(output) : null;
      return reader === null ? null : this.layerAt(reader);
    };
    const take = (): void => {
      output = this.onlyReader(output) ?? output;
      positions.push(output);
    };
    let layer = next();
    if (layer?.kind === 'batch-norm') {
      norm = layer.name;
      take();
      layer = next();
    }
    if (layer?.kind === 'activation') {
      activation = layer.activation;
      take();
    }
    return { unit: { kind: 'convolution', ...start, norm, activation, output }, positions };
  }

  /** Returns the position of the layer that produces the values read at this position. */
  private sourceOf(position: number): number {
    let source = position;
    while (source > this.from && this.layerAt(source).kind === 'identity') {
      source = this.graph.inputsOf[source]?.[0] ?? -1;
    }
    return source;
  }

  /** Returns the only layer that reads this position's output, if it is still within the range. */
  private onlyReader(position: number): number | null {
    const readers = this.readers[position] ?? [];
    const reader = readers.length === 1 ? readers[0] : undefined;
    return reader === undefined || reader > this.to ? null : reader;
  }

  /** Returns whether zero padding and a "valid" convolution equal TensorFlow's "same" padding. */
  private padsLikeSame(
    position: number,
    padding: readonly [number, number],
    next: Exclude<ConvolutionLayer, { kind: 'separable' }>,
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
