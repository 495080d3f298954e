import type { EndCause, RunRecord } from '../../core/records/run.ts';

/** Causes of a run's end in words, as in "ended by early stopping". */
export const END_WORDS: Readonly<Record<EndCause, string>> = {
  ALL_EPOCHS: 'all epochs',
  EARLY_STOPPING: 'early stopping',
  RULE: 'rule',
  NOT_PROMOTED: 'not promoted',
  BUDGET: 'budget',
  TARGET: 'target',
  USER: 'person',
  ERROR: 'error',
  REUSED: 'reused result',
  SCREENED: 'screen',
};

/** Returns whether a run ended before its last epoch by other causes than an error, or took a result. */
export function endedEarly({ endCause }: Pick<RunRecord, 'endCause'>): boolean {
  return endCause !== null && endCause !== 'ALL_EPOCHS' && endCause !== 'ERROR';
}
