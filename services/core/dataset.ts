export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** One image of an indexed data set. */
export interface ManifestImage {
  /** Relative to the data set's folder, with `/`. */
  readonly path: string;
  readonly split: Split;
  /** Number of the class. */
  readonly label: number;
  /** Of the file, hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ClassCount {
  readonly split: Split;
  readonly className: string;
  readonly imageCount: number;
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
  /** Of more pixels than are decoded. */
  | 'IMAGE_TOO_LARGE'
  /** Decoded, it shows nothing. */
  | 'BLANK_IMAGE'
  /** Two class names that look alike: spelled otherwise in Unicode, or in other letters' case. */
  | 'SIMILAR_CLASSES'
  /** Left there by a system or tool, or a link that is not followed; not read. */
  | 'LEFT_OUT';

export interface DatasetProblem {
  readonly code: DatasetProblemCode;
  readonly path: string;
  readonly message: string;
  readonly fatal: boolean;
  /** Problems of the code that this one stands for, where they are not listed one by one; 1 if not given. */
  readonly count?: number;
}

/** Number of problems, those that are not listed one by one included. */
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
