import { kerasFile } from '../backbone-definition.ts';
import type { BackboneDefinition } from '../backbone-definition.ts';
import { IMAGENET_DEVIATIONS } from './efficientnet.ts';
import type { EfficientNetScale } from './efficientnet.ts';
import { LayerList } from '../layer-list.ts';
import type { Layer } from '../layer.ts';
import { pushSqueezeExcitation } from './squeeze-excitation.ts';

interface StageSpec {
  readonly repeats: number;
  /** Stride of the stage's first block. */
  readonly stride: number;
  readonly expansion: number;
  readonly filters: number;
  /** A full convolution instead of expansion and depthwise convolution; without squeeze-and-excitation. */
  readonly fused: boolean;
}

const STAGES: readonly StageSpec[] = [
  { repeats: 1, stride: 1, expansion: 1, filters: 16, fused: true },
  { repeats: 2, stride: 2, expansion: 4, filters: 32, fused: true },
  { repeats: 2, stride: 2, expansion: 4, filters: 48, fused: true },
  { repeats: 3, stride: 2, expansion: 4, filters: 96, fused: false },
  { repeats: 5, stride: 1, expansion: 6, filters: 112, fused: false },
  { repeats: 8, stride: 2, expansion: 6, filters: 192, fused: false },
];
const IMAGENET_MEAN = [0.485, 0.456, 0.406];
const STEM_FILTERS = 32;
const TOP_FILTERS = 1280;
const SQUEEZE_RATIO = 0.25;
const KERNEL_SIZE = 3;

/** `keras.applications.EfficientNetV2B0(include_top=False)` to V2B3, with their preprocessing as layers. */
function efficientNetV2Layers({ width, depth }: EfficientNetScale): readonly Layer[] {
  const list = new LayerList();
  list.block = 'stem';
  const variance = IMAGENET_DEVIATIONS.map((deviation) => deviation ** 2);
  let output = list.rescaling(null, [1 / 255, 1 / 255, 1 / 255]);
  output = list.normalization(output, { mean: IMAGENET_MEAN, variance });
  let channels = roundFilters(STEM_FILTERS, width);
  output = pushConv(list, 'stem_conv', output, { filters: channels, kernelSize: KERNEL_SIZE, stride: 2 });
  output = pushNormAndSwish(list, 'stem_', output);
  for (const [stageIndex, stage] of STAGES.entries()) {
    list.block = `block${stageIndex + 1}`;
    const filters = roundFilters(stage.filters, width);
    for (let repeat = 0; repeat < Math.ceil(depth * stage.repeats); repeat++) {
      const prefix = `${list.block}${String.fromCharCode(97 + repeat)}_`;
      const stride = repeat === 0 ? stage.stride : 1;
      output = pushBlock(list, output, { ...stage, prefix, filters, stride, channels });
      channels = filters;
    }
  }
  // The 1×1 top belongs to the last block, so that "unfreeze the last block" trains more than one projection.
  const top = pushConv(list, 'top_conv', output, { filters: roundFilters(TOP_FILTERS, width), kernelSize: 1 });
  pushNormAndSwish(list, 'top_', top);
  return list.layers;
}

interface BlockSpec extends StageSpec {
  readonly prefix: string;
  /** Channels of the input. */
  readonly channels: number;
}

function pushBlock(list: LayerList, input: string, spec: BlockSpec): string {
  const output = spec.fused ? pushFused(list, input, spec) : pushInverted(list, input, spec);
  if (spec.stride !== 1 || spec.channels !== spec.filters) return output;
  return list.add(`${spec.prefix}add`, [list.identity(`${spec.prefix}drop`, output), input]);
}

/** Keras' `FusedMBConvBlock`. */
function pushFused(
  list: LayerList,
  input: string,
  { prefix, channels, expansion, filters, stride }: BlockSpec,
): string {
  if (expansion === 1) {
    const output = pushConv(list, `${prefix}project_conv`, input, { filters, kernelSize: KERNEL_SIZE, stride });
    return list.activation(`${prefix}project_activation`, list.norm(`${prefix}project_bn`, output), 'swish');
  }
  const expand = { filters: channels * expansion, kernelSize: KERNEL_SIZE, stride };
  let output = pushConv(list, `${prefix}expand_conv`, input, expand);
  output = pushNormAndSwish(list, `${prefix}expand_`, output);
  output = pushConv(list, `${prefix}project_conv`, output, { filters, kernelSize: 1 });
  return list.norm(`${prefix}project_bn`, output);
}

/** Keras' `MBConvBlock`. */
function pushInverted(list: LayerList, input: string, spec: BlockSpec): string {
  const { prefix, stride, filters } = spec;
  const expanded = spec.channels * spec.expansion;
  let output = pushConv(list, `${prefix}expand_conv`, input, { filters: expanded, kernelSize: 1 });
  output = pushNormAndSwish(list, `${prefix}expand_`, output);
  const depthwise = { kernelSize: KERNEL_SIZE, stride, padding: 'same', initializer: 'fan-out-normal' } as const;
  output = pushNormAndSwish(list, prefix, list.depthwise(`${prefix}dwconv2`, output, depthwise));
  const squeezedChannels = Math.max(1, Math.trunc(spec.channels * SQUEEZE_RATIO));
  output = pushSqueezeExcitation(list, output, { prefix, channels: expanded, squeezedChannels });
  output = pushConv(list, `${prefix}project_conv`, output, { filters, kernelSize: 1 });
  return list.norm(`${prefix}project_bn`, output);
}

interface PlainConv {
  readonly filters: number;
  readonly kernelSize: number;
  readonly stride?: number;
}

function pushConv(list: LayerList, name: string, input: string, options: PlainConv): string {
  return list.conv(name, input, { ...options, padding: 'same', useBias: false, initializer: 'fan-out-normal' });
}

function pushNormAndSwish(list: LayerList, prefix: string, input: string): string {
  return list.activation(`${prefix}activation`, list.norm(`${prefix}bn`, input), 'swish');
}

/** Keras' `round_filters` of the V2 file with divisor 8: to the nearest multiple. */
function roundFilters(filters: number, width: number): number {
  return Math.max(8, Math.floor(Math.trunc(filters * width + 4) / 8) * 8);
}

function efficientNetV2<Name extends string>(
  name: Name,
  scale: EfficientNetScale,
  md5: string,
): BackboneDefinition<Name> {
  const imagenet = kerasFile('efficientnet_v2', `${name.replace('efficientnet_v2_', 'efficientnetv2-')}_notop.h5`, md5);
  return { name, layers: () => efficientNetV2Layers(scale), preprocessing: 'none', imagenet };
}

export const EFFICIENTNETS_V2 = [
  efficientNetV2('efficientnet_v2_b0', { width: 1, depth: 1 }, '893217f2bb855e2983157299931e43ff'),
  efficientNetV2('efficientnet_v2_b1', { width: 1, depth: 1.1 }, '0e80663031ca32d657f9caa404b6ec37'),
  efficientNetV2('efficientnet_v2_b2', { width: 1.1, depth: 1.2 }, '1dfe2e7a5d45b6632553a8961ea609eb'),
  efficientNetV2('efficientnet_v2_b3', { width: 1.2, depth: 1.4 }, 'f6abf7b5849ac99a89b50dd3fd532856'),
] as const;
