export type Split = 'train' | 'validation' | 'test';

export const SPLITS: readonly Split[] = ['train', 'validation', 'test'];

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
  | 'UNREADABLE';

export interface DatasetProblem {
  readonly code: DatasetProblemCode;
  readonly path: string;
  readonly message: string;
  readonly fatal: boolean;
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
