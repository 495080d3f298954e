import type { RunRecord } from './run.ts';

/** A run that no smaller one equals on the validation images. */
export interface FrontEntryRecord {
  readonly run: RunRecord;
  /** Standard error of its best value over the validation images; null: unknown. */
  readonly standardError: number | null;
  /** Numbers of larger runs that are left out: they are better by at most one standard error of the paired difference. */
  readonly tiedRunIndexes: readonly number[];
}
