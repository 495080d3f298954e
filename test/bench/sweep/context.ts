import type { KerasPeer } from './keras-peer.ts';

/** What every row needs. */
export interface BenchContext {
  readonly peer: KerasPeer;
  /** Of the environment that has Keras. */
  readonly python: string;
  /** Folder with train, validation and test, two classes each. */
  readonly root: string;
  /** Pretrained weights of the demo's backbone (safetensors). */
  readonly weightsPath: string;
  /** For files that are made. */
  readonly folder: string;
  /** Says what goes on. */
  readonly say: (line: string) => void;
}

export const SIZE = 180;
export const BATCH_SIZE = 32;
export const SEED = 1;
