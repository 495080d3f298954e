/**
 * Most repairs of one artifact (a feature set, a manifest, a checkpoint) within a sweep after its file was lost or damaged. Another
 * loss means that the store itself is bad, and what needs the artifact fails with that reason instead of looping.
 */
export const MAX_REPAIRS = 3;

/** The consequences of an attempt that found stored files missing or damaged. */
export interface Repair {
  /** True if the task depends on a repair task; otherwise it can be retried at once. */
  readonly waits: boolean;
  /** The part that can't be repaired; null: none. */
  readonly failure: RepairFailure | null;
}

export interface RepairFailure {
  readonly reason: string;
  /** The runs that can't continue; null: all runs of the task. */
  readonly runIds: readonly string[] | null;
}

export const RETRY: Repair = { waits: false, failure: null };
export const WAIT: Repair = { waits: true, failure: null };
