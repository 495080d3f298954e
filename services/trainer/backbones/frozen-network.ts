import { tf } from '../engine/engine.ts';
import type { Tensor, Tensor4D } from '../engine/engine.ts';
import { executeOp, intAttribute, stringAttribute, typeAttribute } from '../engine/op.ts';
import type { OpAttribute } from '../engine/op.ts';
import { applyActivation } from './activation-ops.ts';
import { channelCoefficients, foldWeights, weightOf } from './folded-weights.ts';
import type { Weights } from './folded-weights.ts';
import { fusedConvolution } from './fused-convolution.ts';
import { fuseLayers } from './fused-layers.ts';
import type { ConvolutionUnit, PlainUnit, Unit } from './fused-layers.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { kernelName } from '../../core/network/layer.ts';
import type {
  AveragePoolLayer,
  BatchNormLayer,
  MaxPoolLayer,
  NormalizationLayer,
  Padding,
  RescalingLayer,
} from '../../core/network/layer.ts';

const WINDOW_OPS = { conv: 'Conv2D', depthwise: 'DepthwiseConv2dNative' } as const;

interface Step {
  readonly inputs: readonly number[];
  readonly output: number;
  /** Inputs that nothing reads after this step. */
  readonly lastReads: readonly number[];
  readonly run: (inputs: readonly Tensor[]) => Tensor;
}

/**
 * Inference through layers with constant weights. Ops are called by name, past tfjs' kernels: nothing is recorded, and an
 * intermediate result is freed right after its last use, so that two or three activations live at a time.
 */
export class FrozenNetwork {
  private readonly graph: LayerGraph;
  private readonly weights: Weights;
  private readonly plans = new Map<string, readonly Step[]>();
  private readonly constants = new Map<string, Tensor>();

  constructor(graph: LayerGraph, weights: Weights) {
    this.graph = graph;
    this.weights = weights;
  }

  /**
   * @param from position of the layer whose output `input` is; −1: the preprocessed image.
   * @param to position of the layer whose output is returned; above `from`.
   */
  run(input: Tensor4D, from: number, to: number): Tensor4D {
    const steps = this.plan(from, to);
    return tf.tidy(() => {
      const values = new Map<number, Tensor>([[from, input]]);
      for (const step of steps) {
        const output = step.run(step.inputs.map((position) => values.get(position) as Tensor));
        values.set(step.output, output);
        for (const position of step.lastReads) {
          if (position !== from) values.get(position)?.dispose();
          values.delete(position);
        }
      }
      return values.get(to) as Tensor4D;
    });
  }

  dispose(): void {
    for (const constant of this.constants.values()) constant.dispose();
    this.constants.clear();
    this.plans.clear();
  }

  private plan(from: number, to: number): readonly Step[] {
    const key = `${from}-${to}`;
    const known = this.plans.get(key);
    if (known !== undefined) return known;
    const units = fuseLayers(this.graph, from, to);
    const steps = units.map((unit, index) => this.step(unit, units.slice(index + 1)));
    this.plans.set(key, steps);
    return steps;
  }

  private step(unit: Unit, later: readonly Unit[]): Step {
    const readLater = new Set(later.flatMap(({ inputs }) => inputs));
    const run = unit.kind === 'convolution' ? this.convolution(unit) : this.plain(unit);
    const lastReads = [...new Set(unit.inputs)].filter((input) => !readLater.has(input));
    return { inputs: unit.inputs, output: unit.output, lastReads, run };
  }

  private convolution(unit: ConvolutionUnit): Step['run'] {
    const { layer } = unit;
    const folded = foldWeights(this.graph, this.weights, unit);
    const key = `${kernelName(layer)}${unit.norm === null ? '' : '+norm'}`;
    const kernel = this.constant(key, () => [folded.kernel, folded.shape]);
    const { offset } = folded;
    const bias = offset === null ? null : this.constant(`${key}/offset`, () => [offset, [offset.length]]);
    if (bias !== null && layer.kind !== 'separable') {
      const window = windowAttributes(layer.stride, unit.padding);
      const fused = fusedConvolution(WINDOW_OPS[layer.kind], window, unit.activation);
      if (fused !== null) return ([input]) => fused(input as Tensor, kernel, bias);
    }
    const convolve = this.convolve(unit, kernel);
    return ([input]) => biasAndActivate(convolve(input as Tensor), bias, unit.activation);
  }

  private convolve({ layer, padding }: ConvolutionUnit, kernel: Tensor): (input: Tensor) => Tensor {
    switch (layer.kind) {
      case 'conv':
      case 'depthwise': {
        const attributes = windowAttributes(layer.stride, padding);
        return (input) => executeOp(WINDOW_OPS[layer.kind], attributes, [input, kernel]);
      }
      case 'separable': {
        const attributes = windowAttributes(1, padding);
        const { values, shape } = weightOf(this.graph, this.weights, `${layer.name}/depthwise_kernel`);
        const depthwiseKernel = this.constant(`${layer.name}/depthwise_kernel`, () => [values, shape]);
        return (input) => {
          const spread = executeOp('DepthwiseConv2dNative', attributes, [input, depthwiseKernel]);
          const output = executeOp('Conv2D', attributes, [spread, kernel]);
          spread.dispose();
          return output;
        };
      }
    }
  }

  private plain({ layer }: PlainUnit): Step['run'] {
    const type = typeAttribute('T', 'float32');
    switch (layer.kind) {
      case 'activation':
        return ([input]) => applyActivation(input as Tensor, layer.activation);
      case 'add':
        return (inputs) => executeOp('AddV2', [type], inputs);
      case 'multiply':
        return (inputs) => executeOp('Mul', [type], inputs);
      case 'concat':
        return (inputs) => tf.concat(inputs as Tensor4D[], -1);
      case 'max-pool':
        return pool('MaxPool', layer, layer.padding);
      case 'average-pool':
        return pool('AvgPool', layer, 'valid');
      case 'global-average':
        return ([input]) => tf.mean(input as Tensor4D, [1, 2], true);
      case 'zero-pad':
        return ([input]) => padImage(input as Tensor4D, layer.padding);
      case 'identity':
        return ([input]) => (input as Tensor).clone();
      case 'batch-norm':
      case 'rescaling':
      case 'normalization':
        return this.scaleAndShift(layer);
    }
  }

  private scaleAndShift(layer: BatchNormLayer | RescalingLayer | NormalizationLayer): Step['run'] {
    const norm = channelCoefficients(this.graph, this.weights, layer);
    const attributes = [typeAttribute('T', 'float32')];
    const channels = [norm.scale.length];
    const scale = this.constant(`${layer.name}/scale`, () => [Float32Array.from(norm.scale), channels]);
    const offset = this.constant(`${layer.name}/offset`, () => [Float32Array.from(norm.offset), channels]);
    return ([input]) => biasAndActivate(executeOp('Mul', attributes, [input as Tensor, scale]), offset, 'linear');
  }

  private constant(key: string, make: () => readonly [Float32Array, readonly number[]]): Tensor {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const [values, shape] = make();
    const tensor = tf.keep(tf.tensor(values, [...shape], 'float32'));
    this.constants.set(key, tensor);
    return tensor;
  }
}

/** Zeros around the image; `padding`: before, after. */
export function padImage(input: Tensor4D, [before, after]: readonly [number, number]): Tensor4D {
  return tf.pad4d(input, [
    [0, 0],
    [before, after],
    [before, after],
    [0, 0],
  ]);
}

let biasAttributes: readonly OpAttribute[] | null = null;

/** Adds the bias and applies the activation; frees `convolved` when it isn't the result. */
function biasAndActivate(convolved: Tensor, bias: Tensor | null, activation: ConvolutionUnit['activation']): Tensor {
  biasAttributes ??= [typeAttribute('T', 'float32')];
  let result = convolved;
  if (bias !== null) {
    result = executeOp('BiasAdd', biasAttributes, [convolved, bias]);
    convolved.dispose();
  }
  if (activation === 'linear') return result;
  const activated = applyActivation(result, activation);
  result.dispose();
  return activated;
}

function windowAttributes(stride: number, padding: Padding): readonly OpAttribute[] {
  return [
    typeAttribute('T', 'float32'),
    intAttribute('strides', [1, stride, stride, 1]),
    stringAttribute('padding', padding.toUpperCase()),
  ];
}

function pool(operation: string, { poolSize, stride }: MaxPoolLayer | AveragePoolLayer, padding: Padding): Step['run'] {
  const attributes = [...windowAttributes(stride, padding), intAttribute('ksize', [1, poolSize, poolSize, 1])];
  return (inputs) => executeOp(operation, attributes, inputs);
}
