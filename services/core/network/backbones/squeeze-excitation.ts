import type { LayerList } from '../layer-list.ts';

export interface SqueezeSpec {
  /** `block2a_`: before the layers' names. */
  readonly prefix: string;
  /** Channels of the input. */
  readonly channels: number;
  readonly squeezedChannels: number;
}

/** Squeeze-and-excitation as both EfficientNets of Keras have it. Returns the name of the last layer. */
export function pushSqueezeExcitation(list: LayerList, input: string, spec: SqueezeSpec): string {
  const { prefix, channels, squeezedChannels } = spec;
  const common = { kernelSize: 1, padding: 'same', initializer: 'fan-out-normal' } as const;
  let gate = list.globalAverage(`${prefix}se_squeeze`, input);
  gate = list.identity(`${prefix}se_reshape`, gate);
  gate = list.conv(`${prefix}se_reduce`, gate, { ...common, filters: squeezedChannels, activation: 'swish' });
  gate = list.conv(`${prefix}se_expand`, gate, { ...common, filters: channels, activation: 'sigmoid' });
  return list.multiply(`${prefix}se_excite`, [input, gate]);
}
