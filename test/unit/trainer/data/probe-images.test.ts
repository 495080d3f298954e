import { describe, expect, it } from 'vitest';
import { SPLITS } from '../../../../services/core/dataset.ts';
import type { ManifestImage } from '../../../../services/core/dataset.ts';
import { drawProbeImages, stratifiedFolds } from '../../../../services/trainer/data/probe-images.ts';

/** @param counts images of each class in each split */
function indexedWith(counts: readonly number[], digest = 'a'.repeat(64)) {
  const images = SPLITS.flatMap((split) =>
    counts.flatMap((count, label) =>
      Array.from({ length: count }, (_, index): ManifestImage => ({
        path: `${split}/${label}/${index}.jpg`,
        split,
        label,
        sha256: `${split} ${label} ${index}`,
        sizeBytes: 1,
      })),
    ),
  );
  return {
    dataset: { datasetId: '', path: '', digest, classNames: counts.map(String), classCounts: [], problems: [] },
    images,
  };
}

function countsOf(images: readonly ManifestImage[], split: string): number[] {
  const counts: number[] = [];
  for (const { label } of images.filter((image) => image.split === split)) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

describe('the images of a probe', () => {
  it('are of each class the same part, and never test images', () => {
    const drawn = drawProbeImages(indexedWith([400, 200, 100]), { trainImageCount: 70, validationImageCount: 35 });
    expect(countsOf(drawn, 'train')).toEqual([40, 20, 10]);
    expect(countsOf(drawn, 'validation')).toEqual([20, 10, 5]);
    expect(drawn.some(({ split }) => split === 'test')).toBe(false);
  });

  it('have one image at least of a rare class', () => {
    const drawn = drawProbeImages(indexedWith([990, 8, 2]), { trainImageCount: 50, validationImageCount: 25 });
    const train = countsOf(drawn, 'train');
    expect(train.reduce((sum, count) => sum + count, 0)).toBe(50);
    expect(Math.min(...train)).toBe(1);
  });

  it('are all there are where fewer are there', () => {
    const drawn = drawProbeImages(indexedWith([5, 3]), { trainImageCount: 200, validationImageCount: 100 });
    expect(drawn).toHaveLength(16);
  });

  it('depend on the data set alone', () => {
    const counts = { trainImageCount: 20, validationImageCount: 10 };
    const paths = (digest: string): string[] =>
      drawProbeImages(indexedWith([100, 100], digest), counts).map(({ path }) => path);
    expect(paths('a'.repeat(64))).toEqual(paths('a'.repeat(64)));
    expect(paths('b'.repeat(64))).not.toEqual(paths('a'.repeat(64)));
  });

  it('lie in folds of equal size, with each class spread evenly', () => {
    const labels = Array.from({ length: 103 }, (_, index) => (index < 60 ? 0 : index < 90 ? 1 : 2));
    const folds = stratifiedFolds(labels, 5, 'a'.repeat(64));
    for (const label of [0, 1, 2]) {
      const own = Array.from(folds).filter((_, index) => labels[index] === label);
      const sizes = [0, 1, 2, 3, 4].map((fold) => own.filter((one) => one === fold).length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
    const sizes = [0, 1, 2, 3, 4].map((fold) => folds.filter((one) => one === fold).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
  });
});
