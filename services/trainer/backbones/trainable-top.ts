import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import type { BackboneTop, TopParameter } from './backbone.ts';
import { addBiasAndActivate, addConstantAndActivate } from './differentiable.ts';
import { channelCoefficients, foldWeights, normCoefficients, weightOf } from './folded-weights.ts';
import type { Weights } from './folded-weights.ts';
import { padImage } from './frozen-network.ts';
import { fuseLayers } from './fused-layers.ts';
import type { ConvolutionUnit, PlainUnit, Unit } from './fused-layers.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { isTrained } from '../../core/network/layer-shapes.ts';
import { kernelName } from '../../core/network/layer.ts';
import type { SeparableLayer } from '../../core/network/layer.ts';

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
    const kernelIndex = this.parameterIndex.get(kernelName(unit.layer));
    if (kernelIndex === undefined) return this.frozenConvolution(unit);
    const biasIndex = this.parameterIndex.get(`${unit.layer.name}/bias`);
    const depthwiseIndex = this.parameterIndex.get(`${unit.layer.name}/depthwise_kernel`);
    const norm = unit.norm === null ? null : normCoefficients(this.graph, this.weights, unit.norm);
    // The scale goes into the kernel, the smaller of the two, so that a trained layer starts with the frozen one's numbers.
    const isDepthwise = unit.layer.kind === 'depthwise';
    const scale = norm && this.constant(norm.scale, isDepthwise ? [norm.scale.length, 1] : [norm.scale.length]);
    const offset = norm && this.constant(norm.offset, [norm.offset.length]);
    return ([input], parameters) => {
      const kernel = parameters[kernelIndex] as Tensor4D;
      const depthwiseKernel = depthwiseIndex === undefined ? null : (parameters[depthwiseIndex] as Tensor4D);
      const kernels = { kernel: scale === null ? kernel : tf.mul<Tensor4D>(kernel, scale), depthwiseKernel };
      const convolved = convolve(unit, input as Tensor4D, kernels);
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
    const depthwiseKernel = unit.layer.kind === 'separable' ? this.depthwiseKernel(unit.layer) : null;
    return ([input]) => {
      const convolved = convolve(unit, input as Tensor4D, { kernel, depthwiseKernel });
      return addConstantAndActivate(convolved, offset, unit.activation);
    };
  }

  private depthwiseKernel({ name }: SeparableLayer): Tensor4D {
    const { values, shape } = weightOf(this.graph, this.weights, `${name}/depthwise_kernel`);
    return this.constant(values, shape) as Tensor4D;
  }

  private plain({ layer }: PlainUnit): Apply {
    switch (layer.kind) {
      case 'activation':
        return ([input]) => addConstantAndActivate(input as Tensor4D, null, layer.activation);
      case 'add':
        return ([a, b]) => tf.add(a as Tensor4D, b as Tensor4D);
      case 'multiply':
        return ([a, b]) => tf.mul(a as Tensor4D, b as Tensor4D);
      case 'concat':
        return (inputs) => tf.concat([...inputs], -1);
      case 'max-pool':
        return ([input]) => tf.maxPool(input as Tensor4D, layer.poolSize, layer.stride, layer.padding);
      case 'average-pool':
        return ([input]) => tf.avgPool(input as Tensor4D, layer.poolSize, layer.stride, 'valid');
      case 'global-average':
        return ([input]) => tf.mean(input as Tensor4D, [1, 2], true);
      case 'zero-pad':
        return ([input]) => padImage(input as Tensor4D, layer.padding);
      case 'identity':
        return ([input]) => input as Tensor4D;
      case 'batch-norm':
      case 'rescaling':
      case 'normalization': {
        const norm = channelCoefficients(this.graph, this.weights, layer);
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

interface Kernels {
  readonly kernel: Tensor4D;
  /** Depthwise kernel of a separable convolution, whose `kernel` is the 1×1 one. */
  readonly depthwiseKernel: Tensor4D | null;
}

function convolve(unit: ConvolutionUnit, input: Tensor4D, { kernel, depthwiseKernel }: Kernels): Tensor4D {
  const { layer, padding } = unit;
  if (layer.kind === 'conv') return tf.conv2d(input, kernel, layer.stride, padding);
  if (layer.kind === 'depthwise') return tf.depthwiseConv2d(input, kernel, layer.stride, padding);
  const spread = tf.depthwiseConv2d(input, depthwiseKernel as Tensor4D, 1, padding);
  return tf.conv2d(spread, kernel, 1, padding);
}

function parametersOf(graph: LayerGraph, weights: Weights, range: TopRange): readonly TopParameter[] {
  return graph.weights
    .slice(range.from, range.to + 1)
    .flat()
    .filter(isTrained)
    .map(({ name, shape }) => ({ name, shape, values: weightOf(graph, weights, name).values }));
}
