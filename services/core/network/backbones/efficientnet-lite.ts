import type { BackboneDefinition } from '../backbone-definition.ts';
import { EFFICIENTNET_STAGES } from './efficientnet.ts';
import type { EfficientNetStage } from './efficientnet.ts';
import type { Layer } from '../layer.ts';

const EPSILON = 1e-3;
const STEM_FILTERS = 32;
const TOP_FILTERS = 1280;

/**
 * EfficientNet-Lite0 without its top: EfficientNet-B0 with ReLU6 instead of swish and without squeeze-and-excitation
 * (github.com/tensorflow/tpu, efficientnet/lite). Layers are named as in Keras' EfficientNetB0; Keras itself has no Lite.
 */
function efficientNetLite0Layers(): readonly Layer[] {
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
    for (let repeat = 0; repeat < stage.repeats; repeat++) {
      const name = `block${stageIndex + 1}${String.fromCharCode(97 + repeat)}`;
      const stride = repeat === 0 ? stage.stride : 1;
      output = pushBlock(layers, { ...stage, name, block: `block${stageIndex + 1}`, stride, input: output, channels });
      channels = stage.filters;
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

const EFFICIENTNET_LITE0: BackboneDefinition<'efficientnet_lite0'> = {
  name: 'efficientnet_lite0',
  layers: efficientNetLite0Layers,
  preprocessing: 'efficientnet_lite',
  imagenet: { fileName: 'efficientnet_lite0_imagenet.safetensors', url: null, md5: null, sizeBytes: null },
};

export const EFFICIENTNET_LITES = [EFFICIENTNET_LITE0] as const;
