/** The answer to whether the best run of a sweep is better than its baseline, or only lucky, by the validation images. */
export interface WinnerStatement {
  /** Null: the runs can't be compared image by image. */
  readonly distinguishable: boolean | null;
  /** One-sided p value, corrected for the choice of the best of all runs; null: there is no test. */
  readonly pValue: number | null;
  /** A sentence for people, with the numbers. */
  readonly sentence: string;
}
