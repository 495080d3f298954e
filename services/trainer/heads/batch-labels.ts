/** A second label of each image of a batch. */
export interface LabelMix {
  readonly others: readonly number[];
  /** Share of the first label, 0.5..1; the rest is the other's. */
  readonly shares: readonly number[];
}

/** The labels of a batch. */
export interface BatchLabels {
  /** One per image; of a mixed image, the label with the larger share (or the lower number, if both are equal). */
  readonly labels: readonly number[];
  /** null: images have one label each. */
  readonly mix: LabelMix | null;
}

/** Returns the labels of a batch whose images are not mixed. */
export function unmixed(labels: readonly number[]): BatchLabels {
  return { labels, mix: null };
}
