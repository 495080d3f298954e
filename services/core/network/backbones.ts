import { BackboneError } from './backbone-error.ts';
import type { BackboneDefinition } from './backbone-definition.ts';
import { DENSENETS } from './backbones/densenet.ts';
import { EFFICIENTNET_LITES } from './backbones/efficientnet-lite.ts';
import { EFFICIENTNETS_V2 } from './backbones/efficientnet-v2.ts';
import { EFFICIENTNETS } from './backbones/efficientnet.ts';
import { MOBILENETS_V2 } from './backbones/mobilenet-v2.ts';
import { MOBILENETS } from './backbones/mobilenet.ts';
import { RESNETS } from './backbones/resnet.ts';
import { VGGS } from './backbones/vgg.ts';
import { XCEPTIONS } from './backbones/xception.ts';

/** All backbones. A number at the end of a MobileNet is Keras' `alpha`, the width; a width of 1 is not part of the name. */
const BACKBONES = [
  ...VGGS,
  ...XCEPTIONS,
  ...RESNETS,
  ...MOBILENETS,
  ...MOBILENETS_V2,
  ...EFFICIENTNET_LITES,
  ...EFFICIENTNETS,
  ...EFFICIENTNETS_V2,
  ...DENSENETS,
] as const;

export type BackboneName = (typeof BACKBONES)[number]['name'];

/** Backbones that a sweep may name. */
export const BACKBONE_NAMES: readonly BackboneName[] = BACKBONES.map(({ name }) => name);

export const DEFAULT_BACKBONE: BackboneName = 'efficientnet_lite0';

/** Smallest height and width in pixels that Keras accepts for any backbone. */
export const MINIMUM_IMAGE_SIZE = 32;

const BY_NAME: ReadonlyMap<string, BackboneDefinition> = new Map(
  BACKBONES.map((definition) => [definition.name, definition]),
);

/** Returns the definition of a backbone. Throws `BackboneError`, which lists the known names, for any other name. */
export function backboneDefinition(name: string): BackboneDefinition {
  const definition = BY_NAME.get(name);
  if (definition !== undefined) return definition;
  throw new BackboneError(`There is no backbone "${name}". Known: ${BACKBONE_NAMES.join(', ')}.`, { backbone: name });
}

/** Returns the smallest height and width in pixels that Keras accepts for a backbone, whatever its cut. */
export function minimumImageSize(backbone: string): number {
  return BY_NAME.get(backbone)?.minimumImageSize ?? MINIMUM_IMAGE_SIZE;
}
