/** The progress of a long operation. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Current step, for people. */
  readonly detail: string;
}

export type ProgressListener = (progress: Progress) => void;
