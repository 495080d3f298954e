import type { KerasPeer } from './keras-peer.ts';

/** Context that every row needs. */
export interface BenchContext {
  readonly peer: KerasPeer;
  /** Python interpreter of the environment with Keras. */
  readonly python: string;
  /** Folder with train, validation and test, two classes each. */
  readonly root: string;
  /** Pretrained weights of the demo's backbone (safetensors). */
  readonly weightsPath: string;
  /** Folder for generated files. */
  readonly folder: string;
  /** Prints a line of progress. */
  readonly say: (line: string) => void;
}

export const SIZE = 180;
export const BATCH_SIZE = 32;
export const SEED = 1;
