import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import type { BackboneTop, TopParameter } from './backbone.ts';
import { addBiasAndActivate, addConstantAndActivate } from './differentiable.ts';
import { foldWeights, normCoefficients, weightOf } from './folded-weights.ts';
import type { Weights } from './folded-weights.ts';
import { padImage } from './frozen-network.ts';
import { fuseLayers } from './fused-layers.ts';
import type { ConvolutionUnit, PlainUnit, Unit } from './fused-layers.ts';
import type { DepthwiseLayer, LayerGraph } from './layer-graph.ts';

export interface TopRange {
  /** Position of the layer whose output is the input; −1: 0..255 images. */
  readonly split: number;
  /** Position of the lowest trained layer. */
  readonly from: number;
  /** Position of the last layer. */
  readonly to: number;
}

type Apply = (inputs: readonly Tensor4D[], parameters: readonly Tensor[]) => Tensor4D;

interface TopStep {
  readonly inputs: readonly number[];
  readonly output: number;
  readonly apply: Apply;
}

/** Differentiable forward pass of the upper layers; see `BackboneTop`. */
export class TrainableTop implements BackboneTop {
  readonly splitAfter: string | null;
  readonly parameters: readonly TopParameter[];
  private readonly graph: LayerGraph;
  private readonly weights: Weights;
  private readonly range: TopRange;
  private readonly preprocess: (images: Tensor4D) => Tensor4D;
  private readonly parameterIndex: ReadonlyMap<string, number>;
  private readonly steps: readonly TopStep[];
  private readonly constants: Tensor[] = [];

  constructor(graph: LayerGraph, weights: Weights, range: TopRange, preprocess: (images: Tensor4D) => Tensor4D) {
    this.graph = graph;
    this.weights = weights;
    this.range = range;
    this.preprocess = preprocess;
    this.splitAfter = graph.layers[range.split]?.name ?? null;
    this.parameters = parametersOf(graph, weights, range);
    this.parameterIndex = new Map(this.parameters.map(({ name }, index) => [name, index]));
    this.steps = fuseLayers(graph, range.split, range.to).map((unit) => this.step(unit));
  }

  forward(input: Tensor4D, parameters: readonly Tensor[]): Tensor4D {
    if (parameters.length !== this.parameters.length) {
      throw new RangeError(`The top has ${this.parameters.length} parameters; received ${parameters.length}.`);
    }
    const first = this.range.split < 0 ? this.preprocess(input) : input;
    const values = new Map<number, Tensor4D>([[this.range.split, first]]);
    for (const { inputs, output, apply } of this.steps) {
      values.set(
        output,
        apply(
          inputs.map((position) => values.get(position) as Tensor4D),
          parameters,
        ),
      );
    }
    return values.get(this.range.to) as Tensor4D;
  }

  dispose(): void {
    for (const constant of this.constants.splice(0)) constant.dispose();
  }

  private step(unit: Unit): TopStep {
    const apply = unit.kind === 'convolution' ? this.convolution(unit) : this.plain(unit);
    return { inputs: unit.inputs, output: unit.output, apply };
  }

  private convolution(unit: ConvolutionUnit): Apply {
    const kernelIndex = this.parameterIndex.get(`${unit.layer.name}/kernel`);
    if (kernelIndex === undefined) return this.frozenConvolution(unit);
    const biasIndex = this.parameterIndex.get(`${unit.layer.name}/bias`);
    const norm = unit.norm === null ? null : normCoefficients(this.graph, this.weights, unit.norm);
    // The scale goes into the kernel, the smaller of the two, so that a trained layer starts with the frozen one's numbers.
    const isDepthwise = unit.layer.kind === 'depthwise';
    const scale = norm && this.constant(norm.scale, isDepthwise ? [norm.scale.length, 1] : [norm.scale.length]);
    const offset = norm && this.constant(norm.offset, [norm.offset.length]);
    return ([input], parameters) => {
      const kernel = parameters[kernelIndex] as Tensor4D;
      const convolved = convolve(unit, input as Tensor4D, scale === null ? kernel : tf.mul(kernel, scale));
      if (biasIndex === undefined) return addConstantAndActivate(convolved, offset, unit.activation);
      const bias = parameters[biasIndex] as Tensor;
      if (scale === null || offset === null) return addBiasAndActivate(convolved, bias, unit.activation);
      return addBiasAndActivate(convolved, tf.add(tf.mul(bias, scale), offset), unit.activation);
    };
  }

  private frozenConvolution(unit: ConvolutionUnit): Apply {
    const folded = foldWeights(this.graph, this.weights, unit);
    const kernel = this.constant(folded.kernel, folded.shape) as Tensor4D;
    const offset = folded.offset && this.constant(folded.offset, [folded.offset.length]);
    return ([input]) => addConstantAndActivate(convolve(unit, input as Tensor4D, kernel), offset, unit.activation);
  }

  private plain({ layer }: PlainUnit): Apply {
    switch (layer.kind) {
      case 'activation':
        return ([input]) => addConstantAndActivate(input as Tensor4D, null, layer.activation);
      case 'add':
        return ([a, b]) => tf.add(a as Tensor4D, b as Tensor4D);
      case 'max-pool':
        return ([input]) => tf.maxPool(input as Tensor4D, layer.poolSize, layer.stride, 'valid');
      case 'zero-pad':
        return ([input]) => padImage(input as Tensor4D, layer.padding);
      case 'batch-norm': {
        const norm = normCoefficients(this.graph, this.weights, layer.name);
        const scale = this.constant(norm.scale, [norm.scale.length]);
        const offset = this.constant(norm.offset, [norm.offset.length]);
        return ([input]) => addConstantAndActivate(tf.mul(input as Tensor4D, scale), offset, 'linear');
      }
    }
  }

  private constant(values: Float32Array | Float64Array, shape: readonly number[]): Tensor {
    const tensor = tf.keep(tf.tensor(Float32Array.from(values), [...shape], 'float32'));
    this.constants.push(tensor);
    return tensor;
  }
}

function convolve(unit: ConvolutionUnit, input: Tensor4D, kernel: Tensor4D): Tensor4D {
  const { layer, padding } = unit;
  if (layer.kind === 'conv') return tf.conv2d(input, kernel, layer.stride, padding);
  return depthwise(layer, input, kernel, padding);
}

function depthwise(layer: DepthwiseLayer, input: Tensor4D, kernel: Tensor4D, padding: 'same' | 'valid'): Tensor4D {
  return tf.depthwiseConv2d(input, kernel, layer.stride, padding);
}

function parametersOf(graph: LayerGraph, weights: Weights, range: TopRange): readonly TopParameter[] {
  return graph.weights
    .slice(range.from, range.to + 1)
    .flat()
    .filter(({ role }) => role === 'kernel' || role === 'bias')
    .map(({ name, shape }) => ({ name, shape, values: weightOf(graph, weights, name).values }));
}
