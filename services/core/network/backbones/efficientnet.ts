import type { BackboneDefinition } from '../backbone-definition.ts';
import { LayerList } from '../layer-list.ts';
import type { Layer } from '../layer.ts';
import { pushSqueezeExcitation } from './squeeze-excitation.ts';

/** Standard deviations of ImageNet's red, green and blue on the scale 0..1, as in Keras' file. */
export const IMAGENET_DEVIATIONS = [0.229, 0.224, 0.225] as const;

export interface EfficientNetScale {
  readonly width: number;
  readonly depth: number;
}

/** One stage of EfficientNet-B0 (Tan and Le 2019, table 1). */
export interface EfficientNetStage {
  readonly repeats: number;
  readonly kernelSize: number;
  /** Stride of the stage's first block. */
  readonly stride: number;
  readonly expansion: number;
  readonly filters: number;
}

/** Stages of EfficientNet-B0; the other sizes and the Lites scale them. */
export const EFFICIENTNET_STAGES: readonly EfficientNetStage[] = [
  { repeats: 1, kernelSize: 3, stride: 1, expansion: 1, filters: 16 },
  { repeats: 2, kernelSize: 3, stride: 2, expansion: 6, filters: 24 },
  { repeats: 2, kernelSize: 5, stride: 2, expansion: 6, filters: 40 },
  { repeats: 3, kernelSize: 3, stride: 2, expansion: 6, filters: 80 },
  { repeats: 3, kernelSize: 5, stride: 1, expansion: 6, filters: 112 },
  { repeats: 4, kernelSize: 5, stride: 2, expansion: 6, filters: 192 },
  { repeats: 1, kernelSize: 3, stride: 1, expansion: 6, filters: 320 },
];
const STEM_FILTERS = 32;
const TOP_FILTERS = 1280;
const SQUEEZE_RATIO = 0.25;

interface EfficientNetOptions extends EfficientNetScale {
  readonly inputSize: number;
  /**
   * Keras adds a second rescaling (`rescaling_1`) for its published weights only: their file contains ImageNet's
   * standard deviation where the normalisation layer expects a variance.
   */
  readonly published: boolean;
}

/**
 * `keras.applications.EfficientNetB0(include_top=False)` to B7 for images of `inputSize` pixels (the explicit padding before a
 * stride depends on whether the size is even).
 */
function efficientNetLayers({ width, depth, inputSize, published }: EfficientNetOptions): readonly Layer[] {
  const list = new LayerList();
  list.block = 'stem';
  let output = list.normalization(list.rescaling(null, [1 / 255, 1 / 255, 1 / 255]), null);
  if (published) {
    output = list.rescaling(
      output,
      IMAGENET_DEVIATIONS.map((deviation) => 1 / Math.sqrt(deviation)),
    );
  }
  output = list.zeroPad('stem_conv_pad', output, correctPad(inputSize, 3));
  let channels = roundFilters(STEM_FILTERS, width);
  output = pushConv(list, 'stem_conv', output, { filters: channels, kernelSize: 3, stride: 2, padding: 'valid' });
  output = pushNormAndSwish(list, 'stem_', output);
  let size = Math.ceil(inputSize / 2);
  for (const [stageIndex, stage] of EFFICIENTNET_STAGES.entries()) {
    list.block = `block${stageIndex + 1}`;
    const filters = roundFilters(stage.filters, width);
    for (let repeat = 0; repeat < Math.ceil(depth * stage.repeats); repeat++) {
      const prefix = `${list.block}${String.fromCharCode(97 + repeat)}_`;
      const stride = repeat === 0 ? stage.stride : 1;
      output = pushBlock(list, output, { ...stage, prefix, filters, stride, channels, size });
      channels = filters;
      size = Math.ceil(size / stride);
    }
  }
  // The 1×1 top belongs to the last block, so that "unfreeze the last block" trains more than one projection.
  const top = { filters: roundFilters(TOP_FILTERS, width), kernelSize: 1, padding: 'same' } as const;
  pushNormAndSwish(list, 'top_', pushConv(list, 'top_conv', output, top));
  return list.layers;
}

interface BlockSpec extends EfficientNetStage {
  readonly prefix: string;
  /** Channels of the input. */
  readonly channels: number;
  /** Height and width of the input. */
  readonly size: number;
}

function pushBlock(list: LayerList, input: string, spec: BlockSpec): string {
  const { prefix, kernelSize, stride, filters } = spec;
  const expanded = spec.channels * spec.expansion;
  let output = input;
  if (spec.expansion !== 1) {
    output = pushConv(list, `${prefix}expand_conv`, output, { filters: expanded, kernelSize: 1, padding: 'same' });
    output = pushNormAndSwish(list, `${prefix}expand_`, output);
  }
  if (stride === 2) output = list.zeroPad(`${prefix}dwconv_pad`, output, correctPad(spec.size, kernelSize));
  const padding = stride === 2 ? 'valid' : 'same';
  const depthwise = { kernelSize, stride, padding, initializer: 'fan-out-normal' } as const;
  output = list.depthwise(`${prefix}dwconv`, output, depthwise);
  output = pushNormAndSwish(list, prefix, output);
  const squeezedChannels = Math.max(1, Math.trunc(spec.channels * SQUEEZE_RATIO));
  output = pushSqueezeExcitation(list, output, { prefix, channels: expanded, squeezedChannels });
  output = pushConv(list, `${prefix}project_conv`, output, { filters, kernelSize: 1, padding: 'same' });
  output = list.norm(`${prefix}project_bn`, output);
  if (stride !== 1 || spec.channels !== filters) return output;
  return list.add(`${prefix}add`, [list.identity(`${prefix}drop`, output), input]);
}

interface PlainConv {
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding: 'same' | 'valid';
}

function pushConv(list: LayerList, name: string, input: string, options: PlainConv): string {
  return list.conv(name, input, { ...options, useBias: false, initializer: 'fan-out-normal' });
}

function pushNormAndSwish(list: LayerList, prefix: string, input: string): string {
  return list.activation(`${prefix}activation`, list.norm(`${prefix}bn`, input), 'swish');
}

/** Keras' `correct_pad`. */
function correctPad(size: number, kernelSize: number): readonly [number, number] {
  const half = Math.floor(kernelSize / 2);
  return [half - (1 - (size % 2)), half];
}

/** Keras' `round_filters` with divisor 8: to a multiple of it, at most 10 % down. */
export function roundFilters(filters: number, width: number): number {
  const scaled = filters * width;
  const rounded = Math.max(8, Math.floor(Math.trunc(scaled + 4) / 8) * 8);
  return rounded < 0.9 * scaled ? rounded + 8 : rounded;
}

/** The weights of the first EfficientNets have another address than the other published files. */
const EFFICIENTNET_ADDRESS = 'https://storage.googleapis.com/keras-applications';

/** Defines one size. The image sizes that they were trained at play no part. */
function efficientNet<Name extends string>(
  name: Name,
  scale: EfficientNetScale,
  md5: string,
): BackboneDefinition<Name> {
  const fileName = `${name.replace('_', '')}_notop.h5`;
  return {
    name,
    layers: (inputSize) => efficientNetLayers({ ...scale, inputSize, published: false }),
    publishedLayers: (inputSize) => efficientNetLayers({ ...scale, inputSize, published: true }),
    preprocessing: 'none',
    imagenet: { fileName, url: `${EFFICIENTNET_ADDRESS}/${fileName}`, md5, sizeBytes: null },
  };
}

/** B0 to B7 (Tan and Le 2019). */
export const EFFICIENTNETS = [
  efficientNet('efficientnet_b0', { width: 1, depth: 1 }, '50bc09e76180e00e4465e1a485ddc09d'),
  efficientNet('efficientnet_b1', { width: 1, depth: 1.1 }, '74c4e6b3e1f6a1eea24c589628592432'),
  efficientNet('efficientnet_b2', { width: 1.1, depth: 1.2 }, '111f8e2ac8aa800a7a99e3239f7bfb39'),
  efficientNet('efficientnet_b3', { width: 1.2, depth: 1.4 }, 'af6d107764bb5b1abb91932881670226'),
  efficientNet('efficientnet_b4', { width: 1.4, depth: 1.8 }, 'ebc24e6d6c33eaebbd558eafbeedf1ba'),
  efficientNet('efficientnet_b5', { width: 1.6, depth: 2.2 }, '38879255a25d3c92d5e44e04ae6cec6f'),
  efficientNet('efficientnet_b6', { width: 1.8, depth: 2.6 }, '9ecce42647a20130c1f39a5d4cb75743'),
  efficientNet('efficientnet_b7', { width: 2, depth: 3.1 }, 'cbcfe4450ddf6f3ad90b1b398090fe4a'),
] as const;
