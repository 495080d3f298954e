/** Of the Keras whose formats are written. */
export const KERAS_VERSION = '3.15.1';

/** What a model's file says of its origin beside what the format asks for. */
export interface ModelCard {
  /** In the order of the probabilities; with two classes the one output is the probability of the second. */
  readonly classNames: readonly string[];
  readonly runId: string;
  /** Of the checkpoint's tensors. */
  readonly stage: 'HEAD' | 'FINE_TUNE';
  readonly epoch: number;
  /** SHA-256 of the frozen base's weight file. */
  readonly baseDigest: string;
}
