import type { MixConfig, RunConfig } from '../run-config.ts';
import type { ProbeOrder, ProbeTarget } from '../task.ts';
import type { KeyedFeatureSet } from './feature-set.ts';
import type { PlannedRun } from './plan.ts';
import type { RunNeeds } from './run-needs.ts';
import { countOf } from '../text/count-of.ts';

/** Describes FEATURES to people: `efficientnet_lite0 at 180 px, average pooling: train and validation`. */
export function describeFeatures(featureSets: readonly KeyedFeatureSet[]): string {
  const first = featureSets[0];
  if (first === undefined) return 'no feature sets';
  const cut = first.cut === null ? '' : ` up to ${first.cut}`;
  const pooling = { avg: ', average pooling', max: ', maximum pooling', none: '' }[first.pooling];
  const splits = featureSets.map(({ split }) => split).join(' and ');
  return `${first.backbone}${cut} at ${first.imageSize} px${pooling}: ${splits} images, once`;
}

/** Describes PROBE to people: `efficientnet_lite0 at 180 px, average pooling: 200 training and 100 validation images`. */
export function describeProbe(
  { backbone, cut, imageSize, pooling }: ProbeTarget,
  { trainImageCount, validationImageCount }: Pick<ProbeOrder, 'trainImageCount' | 'validationImageCount'>,
): string {
  const part = cut === null ? '' : ` up to ${cut}`;
  const pooled = pooling === 'max' ? 'maximum' : 'average';
  const images = `${trainImageCount} training and ${validationImageCount} validation images`;
  return `${backbone}${part} at ${imageSize} px, ${pooled} pooling: ${images}`;
}

/** Describes HEAD to people: `4 heads on stored features of vgg16, batch 32`. */
export function describeHead(runs: readonly PlannedRun[]): string {
  const config = runs[0]?.config;
  if (config === undefined) return 'no heads';
  const heads = runs.length === 1 ? 'one head' : `${runs.length} heads together`;
  const epochs = Math.max(...runs.map((run) => run.config.epochs));
  const source =
    config.method === 'cached'
      ? `on stored features of ${config.backbone.name}`
      : `on one augmented stream${describeAugmentation(config)} through ${config.backbone.name}`;
  return `${heads} ${source}, batch ${config.batchSize}, up to ${countOf(epochs, 'epoch')}`;
}

/** Describes FINE_TUNE to people: `last block of vgg16, up to 30 epochs, frozen part stored up to block4_pool`. */
export function describeFineTunes(members: readonly RunNeeds[]): string {
  const config = members[0]?.run.config;
  if (config === undefined) return 'no fine-tuning';
  const name = config.backbone.name;
  const depths = [...new Set(members.map(({ run }) => describeDepth(name, run.config.fineTune?.unfreeze ?? '')))];
  const runs = members.length === 1 ? '' : `${members.length} runs together: `;
  return `${runs}${depths.join(' and ')}, ${describeEpochs(members)}, ${describeFrozen(members, config)}`;
}

function describeEpochs(members: readonly RunNeeds[]): string {
  const epochs = Math.max(...members.map(({ run }) => run.config.fineTune?.epochs ?? 0));
  const { from = 0, to = null } = members[0]?.run.segment ?? {};
  if (from === 0 && to === null) return `up to ${countOf(epochs, 'epoch')}`;
  return to === null ? `epochs ${from + 1} to ${epochs}` : `epochs ${from + 1} to ${to}, then a pause`;
}

/** Names the layers that change colours, mix or draw: they tell the streams of a sweep apart. */
function describeAugmentation({ augmentation }: RunConfig): string {
  const { saturation = 0, hue = 0, randAugment = null, mixup = null, cutmix = null } = augmentation ?? {};
  const names = [
    ...(saturation === 0 ? [] : [`saturation ${saturation}`]),
    ...(hue === 0 ? [] : [`hue ${hue}`]),
    ...(randAugment === null ? [] : [`RandAugment ${randAugment.ops} × ${randAugment.magnitude}`]),
    ...(mixup === null ? [] : [describeMix('MixUp', mixup)]),
    ...(cutmix === null ? [] : [describeMix('CutMix', cutmix)]),
  ];
  return names.length === 0 ? '' : ` (${names.join(', ')})`;
}

function describeMix(name: string, { alpha, probability }: MixConfig): string {
  return `${name} ${alpha}${probability < 1 ? ` with p ${probability}` : ''}`;
}

function describeFrozen(members: readonly RunNeeds[], config: RunConfig): string {
  const cut = members[0]?.fineTuneCut ?? null;
  if (cut === null) return 'from the pixels';
  return config.method === 'cached'
    ? `frozen part stored up to ${cut}`
    : `one augmented stream${describeAugmentation(config)} through the frozen part up to ${cut}`;
}

function describeDepth(name: string, unfreeze: string): string {
  if (unfreeze === 'all') return `all of ${name}`;
  if (unfreeze === 'last_block') return `last block of ${name}`;
  return /^\d+$/.test(unfreeze)
    ? `last ${countOf(Number(unfreeze), 'layer')} of ${name}`
    : `${name} from ${unfreeze} on`;
}
