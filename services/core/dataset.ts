export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** One image of an indexed data set. */
export interface ManifestImage {
  /** Relative to the data set's folder, with `/`. */
  readonly path: string;
  readonly split: Split;
  /** Number of the class. */
  readonly label: number;
  /** SHA-256 of the file, hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ClassCount {
  readonly split: Split;
  readonly className: string;
  readonly imageCount: number;
}

/** Returns the number of images of each split. */
export function countImages(classCounts: readonly ClassCount[]): Readonly<Record<Split, number>> {
  const count = (split: Split): number =>
    classCounts.filter((entry) => entry.split === split).reduce((sum, entry) => sum + entry.imageCount, 0);
  return { train: count('train'), validation: count('validation'), test: count('test') };
}

export type DatasetProblemCode =
  | 'CORRUPT_IMAGE'
  | 'EMPTY_CLASS'
  | 'MISSING_SPLIT'
  | 'CLASS_MISSING'
  | 'EXACT_DUPLICATE'
  | 'NEAR_DUPLICATE'
  | 'UNSUPPORTED_FORMAT'
  | 'TOO_FEW_IMAGES'
  | 'UNREADABLE'
  /** The image has more pixels than are decoded. */
  | 'IMAGE_TOO_LARGE'
  /** The decoded image is blank. */
  | 'BLANK_IMAGE'
  /** Two class names look alike: they differ only in Unicode normalization or in case. */
  | 'SIMILAR_CLASSES'
  /** The file was left by a system or tool, or is a link that is not followed. It is not read. */
  | 'LEFT_OUT';

export interface DatasetProblem {
  readonly code: DatasetProblemCode;
  readonly path: string;
  readonly message: string;
  readonly fatal: boolean;
  /** Number of problems that this entry stands for, where they are not listed individually; default 1. */
  readonly count?: number;
}

/** Returns the number of problems, including those that are not listed individually. */
export function countProblems(problems: readonly DatasetProblem[]): number {
  return problems.reduce((sum, { count = 1 }) => sum + count, 0);
}

/** An indexed data set without its images (they are in the manifest file). */
export interface Dataset {
  /** `d` and the first 16 hexadecimal digits of the digest. */
  readonly datasetId: string;
  readonly path: string;
  /** SHA-256 over the manifest, hexadecimal. */
  readonly digest: string;
  readonly classNames: readonly string[];
  readonly classCounts: readonly ClassCount[];
  readonly problems: readonly DatasetProblem[];
}
