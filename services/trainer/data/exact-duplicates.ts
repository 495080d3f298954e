import type { DatasetProblem, ManifestImage } from '../../core/dataset.ts';

/**
 * Finds images with identical bytes in two splits (the test would measure training data) and in two classes (one label
 * is wrong). The first kind is fatal unless allowed.
 */
export function findDuplicates(images: readonly ManifestImage[], allowed: boolean): readonly DatasetProblem[] {
  const byContent = new Map<string, ManifestImage[]>();
  for (const image of images) {
    const same = byContent.get(image.sha256);
    if (same === undefined) byContent.set(image.sha256, [image]);
    else same.push(image);
  }
  return [...byContent.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : duplicatesOf(first, others, allowed),
  );
}

function duplicatesOf(first: ManifestImage, others: readonly ManifestImage[], allowed: boolean): DatasetProblem[] {
  return others.flatMap((other): DatasetProblem[] => {
    const { path } = other;
    if (other.split !== first.split) {
      const remedy = allowed
        ? 'It is kept because allow_duplicates is set'
        : 'Remove one of them, or set allow_duplicates';
      const message = `"${path}" (${other.split}) has the same content as "${first.path}" (${first.split}). ${remedy}.`;
      return [{ code: 'EXACT_DUPLICATE', path, message, fatal: !allowed }];
    }
    if (other.label === first.label) return [];
    const message = `"${path}" has the same content as "${first.path}", which belongs to another class.`;
    return [{ code: 'EXACT_DUPLICATE', path, message, fatal: false }];
  });
}
