/** Version of Keras whose formats are written. */
export const KERAS_VERSION = '3.15.1';

/** The origin of an exported model, written in addition to what the format requires. */
export interface ModelCard {
  /** Names in the order of the probabilities. With two classes, the only output is the probability of the second. */
  readonly classNames: readonly string[];
  readonly runId: string;
  /** Stage of the checkpoint. */
  readonly stage: 'HEAD' | 'FINE_TUNE';
  readonly epoch: number;
  /** SHA-256 of the frozen base's weight file. */
  readonly baseDigest: string;
}
