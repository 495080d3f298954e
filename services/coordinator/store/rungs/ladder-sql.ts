import type { LadderRun } from '../../../core/stopping/ladder.ts';

/** Columns from which the rungs of a run follow. */
export interface LadderRow {
  readonly run_index: number;
  readonly head_epochs: number;
  readonly augmented: boolean;
  readonly fine_tune_epochs: number | null;
  readonly is_repeat: boolean;
}

/** Returns the SQL of a `LadderRow`, from the run's parameters, which include defaults. @param run alias of `runs` */
export function ladderColumns(run: string): string {
  return `${run}.run_index, coalesce((${run}.parameters ->> 'epochs')::float8::int, 0) AS head_epochs,
          coalesce(${run}.parameters ->> 'method' = 'augmented', false) AS augmented,
          CASE WHEN (${run}.parameters ->> 'fine_tune.enabled')::boolean
               THEN (${run}.parameters ->> 'fine_tune.epochs')::float8::int END AS fine_tune_epochs,
          ${run}.repeat_of IS NOT NULL AS is_repeat`;
}

export function toLadderRun(row: LadderRow): LadderRun {
  return {
    index: row.run_index,
    headEpochs: row.head_epochs,
    augmented: row.augmented,
    fineTuneEpochs: row.fine_tune_epochs,
    isRepeat: row.is_repeat,
  };
}
