import type { Parameters } from '../sweep/sweep-spec.ts';

const EFFICIENTNET = ['top_bn', 'top_activation'];
const RESNET = ['conv5_block3_3_bn', 'conv5_block3_add', 'conv5_block3_out'];
const RESNET_V2 = ['conv5_block3_out', 'post_bn', 'post_relu'];

/**
 * The last layers of each base that have no weights to train, lowest first: activations, additions, pooling, and BatchNormalization,
 * which stays as it is in fine-tuning. By the beginning of the base's name, the longest first. The trainer's layers are the
 * truth, and a test compares the two.
 */
const LAST_LAYERS: readonly (readonly [prefix: string, layers: readonly string[]])[] = [
  ['densenet121', ['conv5_block16_concat', 'bn', 'relu']],
  ['densenet', ['conv5_block32_concat', 'bn', 'relu']],
  ['efficientnet', EFFICIENTNET],
  ['mobilenet_v2', ['Conv_1_bn', 'out_relu']],
  ['mobilenet', ['conv_pw_13_bn', 'conv_pw_13_relu']],
  ['resnet50_v2', RESNET_V2],
  ['resnet101_v2', RESNET_V2],
  ['resnet152_v2', RESNET_V2],
  ['resnet', RESNET],
  ['vgg', ['block5_pool']],
  ['xception', ['block14_sepconv2_bn', 'block14_sepconv2_act']],
];

/** The last layers of a base that have no weights to train, lowest first; empty for a base that is not known. */
export function lastUntrainableLayers(backbone: string): readonly string[] {
  return LAST_LAYERS.find(([prefix]) => backbone.startsWith(prefix))?.[1] ?? [];
}

/** Whether there is a base for which the value unfreezes nothing that could train. */
export function mayUnfreezeNothing(value: unknown): boolean {
  return LAST_LAYERS.some(([, layers]) => unfreezesOnly(layers, String(value)));
}

/**
 * What is wrong where fine-tuning would train nothing of the base; null: nothing is, or it is not known yet because the base is cut
 * (then the run is INFEASIBLE when its layers are).
 *
 * @param parameters canonical.
 */
export function unfreezeProblem(parameters: Parameters): string | null {
  if (parameters['fine_tune.enabled'] !== true || parameters['cut'] !== '') return null;
  const backbone = String(parameters['backbone']);
  const unfreeze = String(parameters['fine_tune.unfreeze']);
  const layers = lastUntrainableLayers(backbone);
  if (!unfreezesOnly(layers, unfreeze)) return null;
  const names =
    layers.length === 1
      ? `layer of ${backbone} is ${layers[0] ?? ''}`
      : `layers of ${backbone} are ${layers.join(', ')}`;
  return (
    `unfreezes nothing that could train: the last ${names}, without weights to train; received '${unfreeze}'. Give at least ` +
    `${layers.length + 1}, last_block or a block's name, or take fine-tuning out.`
  );
}

function unfreezesOnly(layers: readonly string[], unfreeze: string): boolean {
  return /^\d+$/.test(unfreeze) ? Number(unfreeze) <= layers.length : layers.includes(unfreeze);
}
