/**
 * How often one stored thing (a feature set, a manifest, a checkpoint) is made again within a sweep because its file was lost
 * or damaged. Lost once more, the store itself is bad, and what needs the thing fails with that reason instead of looping.
 */
export const MAX_REPAIRS = 3;

/** What follows an attempt that found stored files missing or damaged. */
export interface Repair {
  /** Whether the task depends on what makes the files again; else it can be retried at once. */
  readonly waits: boolean;
  /** What can't be made again; null: nothing. */
  readonly failure: RepairFailure | null;
}

export interface RepairFailure {
  readonly reason: string;
  /** The runs that can't continue; null: all that the task serves. */
  readonly runIds: readonly string[] | null;
}

export const RETRY: Repair = { waits: false, failure: null };
export const WAIT: Repair = { waits: true, failure: null };
