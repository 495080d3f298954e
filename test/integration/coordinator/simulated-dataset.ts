import { createHash } from 'node:crypto';
import { SPLITS } from '../../../services/core/dataset.ts';
import type { Dataset, Split } from '../../../services/core/dataset.ts';
import { datasetIdOf } from '../../../services/core/ids.ts';
import { manifestUriOf } from '../../../services/core/reports/check-index.ts';

/** An image that only the manifest knows. */
export interface SimulatedImage {
  readonly path: string;
  readonly split: Split;
  readonly label: number;
}

/** A data set without files, in the shape INDEX reports one. */
export interface SimulatedDataset {
  readonly digest: string;
  readonly manifestUri: string;
  readonly classNames: readonly string[];
  readonly images: readonly SimulatedImage[];
  /** Returns the manifest as a trainer stores it: a line with the data set, then one per image. */
  readonly manifest: Buffer;
}

/** @param imagesOf images of a class in each split; 10 if not given. */
export function simulatedDataset(
  classNames: readonly string[],
  imagesOf: (label: number) => number = () => 10,
): SimulatedDataset {
  const images = SPLITS.flatMap((split) => imagesOfSplit(split, classNames, imagesOf));
  const digest = createHash('sha256')
    .update(JSON.stringify([classNames, images.length]))
    .digest('hex');
  const lines = [
    { format: 'graft-manifest-1' },
    ...images.map(({ path, split, label }) => [path, split, label, digest, 1000]),
  ];
  const manifest = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return { digest, manifestUri: manifestUriOf(digest), classNames, images, manifest };
}

function imagesOfSplit(
  split: Split,
  classNames: readonly string[],
  imagesOf: (label: number) => number,
): SimulatedImage[] {
  const most = Math.max(...classNames.map((_name, label) => imagesOf(label)));
  return Array.from({ length: most }, (_, place) =>
    classNames.flatMap((className, label) => {
      const path = `${split}/${className}/${place * classNames.length + label}.jpg`;
      return place < imagesOf(label) ? [{ path, split, label }] : [];
    }),
  ).flat();
}

/** The indexed data set. @param path of its folder. */
export function datasetOf({ digest, classNames, images }: SimulatedDataset, path: string): Dataset {
  const counts = new Map<string, number>();
  for (const { split, label } of images) counts.set(`${split} ${label}`, (counts.get(`${split} ${label}`) ?? 0) + 1);
  return {
    datasetId: datasetIdOf(digest),
    path,
    digest,
    classNames,
    classCounts: SPLITS.flatMap((split) =>
      classNames.map((className, label) => ({ split, className, imageCount: counts.get(`${split} ${label}`) ?? 0 })),
    ),
    problems: [],
  };
}

/** Returns a bit for each image, which says that the first ones are right. */
export function firstRight(accuracy: number, imageCount: number): Buffer {
  const bits = Buffer.alloc(Math.ceil(imageCount / 8));
  for (let image = 0; image < Math.round(accuracy * imageCount); image += 1) {
    bits.writeUInt8(bits.readUInt8(image >> 3) | (1 << (image & 7)), image >> 3);
  }
  return bits;
}
