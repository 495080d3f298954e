/** Results of a model for each image of the validation split, in the order of the manifest. */
export interface ImageResults {
  /** A bit for each image: whether its class was predicted; the least significant bit first, padded with 0. */
  readonly correct: Uint8Array;
  /** Loss of each image; null if the split has too many. */
  readonly losses: Float32Array | null;
}

/** Adds the penalty of the weights to each loss, so that their mean is `val_loss`. */
export function withPenalty({ correct, losses }: ImageResults, penalty: number): ImageResults {
  return { correct, losses: penalty === 0 ? losses : (losses?.map((loss) => loss + penalty) ?? null) };
}
