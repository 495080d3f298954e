import { groupByKey } from '../group-by-key.ts';
import type { AugmentationConfig, RunConfig } from '../run-config.ts';

/** Groups in the order of their first members, members in the order they came. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  return [...groupByKey(items, keyOf).values()];
}

/**
 * Splits a list into min(parts, length) pieces whose lengths differ by at most one.
 *
 * @param parts at least 1.
 */
export function cutEvenly<T>(items: readonly T[], parts: number): T[][] {
  const count = Math.min(parts, items.length);
  return Array.from({ length: count }, (_, part) =>
    items.slice(Math.floor((part * items.length) / count), Math.floor(((part + 1) * items.length) / count)),
  );
}

/**
 * Names an augmented stream: runs with the same key see the same augmented batches through the same frozen base. Pooling is
 * no part of it, because it comes after the base.
 */
export function streamKey(config: RunConfig): string {
  const { backbone, augmentation } = config;
  return JSON.stringify([
    'augmented',
    [backbone.name, backbone.weights, backbone.cut],
    config.imageSize,
    augmentation === null ? null : augmentationKey(augmentation),
    config.batchSize,
    config.dataSeed,
  ]);
}

function augmentationKey(augmentation: AugmentationConfig): readonly unknown[] {
  const { flip, rotation, zoom, translationHeight, translationWidth, seed } = augmentation;
  const { contrast, brightness, saturation, hue, randAugment, mixup, cutmix } = augmentation;
  const zoomWidth = augmentation.zoomWidth ?? zoom;
  const zooms = zoom !== 0 || zoomWidth !== 0;
  // Without a turn, a zoom, a shear or a shift nothing is read between the pixels or outside the image.
  const transforms =
    rotation !== 0 || zooms || translationHeight !== 0 || translationWidth !== 0 || randAugment !== null;
  return [
    flip,
    rotation,
    zoom,
    // An own draw for the width is another one, even of the same factor.
    zooms ? augmentation.zoomWidth : null,
    translationHeight,
    translationWidth,
    contrast,
    brightness,
    saturation,
    hue,
    randAugment,
    mixup,
    cutmix,
    transforms ? [augmentation.fillMode, augmentation.fillValue, augmentation.interpolation] : null,
    seed,
  ];
}
