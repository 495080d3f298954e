import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import type { Layer } from '../layer.ts';

/** Epsilon of every BatchNormalization of the family (Keras passes it explicitly; its own default is the same 1e-3). */
const EPSILON = 1e-3;

/** Filters (before the width multiplier), stride and expansion of each inverted residual block. */
const BLOCKS = [
  [16, 1, 1],
  [24, 2, 6],
  [24, 1, 6],
  [32, 2, 6],
  [32, 1, 6],
  [32, 1, 6],
  [64, 2, 6],
  [64, 1, 6],
  [64, 1, 6],
  [64, 1, 6],
  [96, 1, 6],
  [96, 1, 6],
  [96, 1, 6],
  [160, 2, 6],
  [160, 1, 6],
  [160, 1, 6],
  [320, 1, 6],
] as const;

interface Position {
  readonly name: string;
  readonly channels: number;
  /** Height and width. */
  readonly size: number;
}

/**
 * `keras.applications.MobileNetV2(include_top=False, alpha=alpha)` for images of `inputSize` pixels (the explicit padding
 * before a stride depends on whether the size is even).
 */
function mobileNetV2Layers(alpha: number, inputSize: number): readonly Layer[] {
  const layers: Layer[] = [];
  const stemFilters = makeDivisible(32 * alpha);
  const stem = { name: 'Conv1', block: 'Conv1', filters: stemFilters, kernelSize: 3, stride: 2, inputs: [] } as const;
  pushConvolution(layers, stem);
  pushNorm(layers, 'bn_Conv1', 'Conv1', 'Conv1');
  pushRelu6(layers, 'Conv1_relu', 'Conv1', 'bn_Conv1');
  let position: Position = { name: 'Conv1_relu', channels: stemFilters, size: Math.ceil(inputSize / 2) };
  for (const [index, [filters, stride, expansion]] of BLOCKS.entries()) {
    const outputChannels = makeDivisible(Math.trunc(filters * alpha));
    position = pushBlock(layers, { index, input: position, outputChannels, stride, expansion });
  }
  const topFilters = alpha > 1 ? makeDivisible(1280 * alpha) : 1280;
  // The 1×1 top belongs to the last block, so that "unfreeze the last block" trains more than one projection.
  const lastBlock = `block_${BLOCKS.length - 1}`;
  const top = { name: 'Conv_1', block: lastBlock, filters: topFilters, kernelSize: 1, stride: 1 };
  pushConvolution(layers, { ...top, inputs: [position.name] });
  pushNorm(layers, 'Conv_1_bn', lastBlock, 'Conv_1');
  pushRelu6(layers, 'out_relu', lastBlock, 'Conv_1_bn');
  return layers;
}

interface BlockSpec {
  readonly index: number;
  readonly input: Position;
  readonly outputChannels: number;
  readonly stride: number;
  readonly expansion: number;
}

function pushBlock(layers: Layer[], { index, input, outputChannels, stride, expansion }: BlockSpec): Position {
  const block = index === 0 ? 'expanded_conv' : `block_${index}`;
  let name = input.name;
  if (index > 0) {
    const filters = expansion * input.channels;
    pushConvolution(layers, { name: `${block}_expand`, block, filters, kernelSize: 1, stride: 1, inputs: [name] });
    pushNorm(layers, `${block}_expand_BN`, block, `${block}_expand`);
    pushRelu6(layers, `${block}_expand_relu`, block, `${block}_expand_BN`);
    name = `${block}_expand_relu`;
  }
  if (stride === 2) {
    // Keras' `correct_pad` for a 3×3 window.
    const padding: [number, number] = input.size % 2 === 0 ? [0, 1] : [1, 1];
    layers.push({ kind: 'zero-pad', name: `${block}_pad`, block, inputs: [name], padding });
    name = `${block}_pad`;
  }
  const padding = stride === 1 ? 'same' : 'valid';
  layers.push({ kind: 'depthwise', name: `${block}_depthwise`, block, inputs: [name], kernelSize: 3, stride, padding });
  pushNorm(layers, `${block}_depthwise_BN`, block, `${block}_depthwise`);
  pushRelu6(layers, `${block}_depthwise_relu`, block, `${block}_depthwise_BN`);
  const project = { name: `${block}_project`, block, filters: outputChannels, kernelSize: 1, stride: 1 };
  pushConvolution(layers, { ...project, inputs: [`${block}_depthwise_relu`] });
  pushNorm(layers, `${block}_project_BN`, block, `${block}_project`);
  const output = { channels: outputChannels, size: Math.ceil(input.size / stride) };
  if (input.channels !== outputChannels || stride !== 1) return { ...output, name: `${block}_project_BN` };
  layers.push({ kind: 'add', name: `${block}_add`, block, inputs: [input.name, `${block}_project_BN`] });
  return { ...output, name: `${block}_add` };
}

interface ConvolutionSpec {
  readonly name: string;
  readonly block: string;
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly inputs: readonly string[];
}

function pushConvolution(layers: Layer[], spec: ConvolutionSpec): void {
  layers.push({ kind: 'conv', ...spec, padding: 'same', useBias: false, activation: 'linear' });
}

function pushNorm(layers: Layer[], name: string, block: string, input: string): void {
  layers.push({ kind: 'batch-norm', name, block, inputs: [input], epsilon: EPSILON });
}

function pushRelu6(layers: Layer[], name: string, block: string, input: string): void {
  layers.push({ kind: 'activation', name, block, inputs: [input], activation: 'relu6' });
}

/** Keras' `_make_divisible(value, 8)`. */
function makeDivisible(value: number): number {
  const rounded = Math.max(8, Math.floor((value + 4) / 8) * 8);
  return rounded < 0.9 * value ? rounded + 8 : rounded;
}

function mobileNetV2<Name extends string>(name: Name, alpha: number): BackboneDefinition<Name> {
  // Python writes a float with its decimal point.
  const alphaText = Number.isInteger(alpha) ? alpha.toFixed(1) : String(alpha);
  const fileName = `mobilenet_v2_weights_tf_dim_ordering_tf_kernels_${alphaText}_224_no_top.h5`;
  const imagenet = kerasFile('mobilenet_v2', fileName, null);
  return { name, layers: (inputSize) => mobileNetV2Layers(alpha, inputSize), preprocessing: 'tf', imagenet };
}

export const MOBILENETS_V2 = [
  mobileNetV2('mobilenet_v2', 1),
  mobileNetV2('mobilenet_v2_0.35', 0.35),
  mobileNetV2('mobilenet_v2_0.5', 0.5),
  mobileNetV2('mobilenet_v2_0.75', 0.75),
  mobileNetV2('mobilenet_v2_1.3', 1.3),
  mobileNetV2('mobilenet_v2_1.4', 1.4),
] as const;
