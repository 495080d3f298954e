import type { RunConfig } from '../run-config.ts';

/** Groups in the order of their first members, members in the order they came. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/**
 * Cuts a list into min(parts, length) pieces whose lengths differ by at most one.
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
    augmentation === null
      ? null
      : [
          augmentation.flip,
          augmentation.rotation,
          augmentation.zoom,
          // Without a turn or a zoom nothing lies outside the image.
          augmentation.rotation === 0 && augmentation.zoom === 0 ? null : augmentation.fillMode,
          augmentation.seed,
        ],
    config.batchSize,
    config.dataSeed,
  ]);
}
