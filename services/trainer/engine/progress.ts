/** Where a long piece of work stands. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** What is being done, for people. */
  readonly detail: string;
}

export type ProgressListener = (progress: Progress) => void;
