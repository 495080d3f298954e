/** A file that a deletion removes from the artifact store. */
export interface DeletedFile {
  readonly uri: string;
  /** 0: not recorded, as of manifests. */
  readonly sizeBytes: number;
}

/** The contents of a sweep that was deleted, or would be. */
export interface SweepDeletion {
  readonly sweepId: string;
  readonly displayName: string;
  readonly runCount: number;
  readonly checkpointCount: number;
  /** Feature sets that no other sweep uses. */
  readonly featureSetCount: number;
  /** 1 if no other sweep uses its data set, else 0. */
  readonly manifestCount: number;
  /** Size of these checkpoints and feature sets. */
  readonly sizeBytes: number;
  /** The largest files first; empty after the deletion. */
  readonly files: readonly DeletedFile[];
  /** Null: it would be deleted, but was not. */
  readonly deleteTime: Date | null;
}
