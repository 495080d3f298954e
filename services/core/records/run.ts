import type { RunState } from '../states/run-state.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';

/** Causes of the end of a run. */
export const END_CAUSES = [
  'ALL_EPOCHS',
  'EARLY_STOPPING',
  'RULE',
  'NOT_PROMOTED',
  'BUDGET',
  'TARGET',
  'USER',
  'ERROR',
  'REUSED',
  'SCREENED',
] as const;
export type EndCause = (typeof END_CAUSES)[number];

/** Causes of runs that only the end of their search has stopped: they resume when a person continues the search. */
export const ENDED_WITH_SEARCH = ['NOT_PROMOTED', 'BUDGET', 'TARGET'] as const satisfies readonly EndCause[];

/** One variant of a sweep and its results so far. */
export interface RunRecord {
  readonly runId: string;
  readonly sweepId: string;
  /** Number within the sweep, from 0. */
  readonly runIndex: number;
  readonly parameters: Parameters;
  /** Parameters that differ between the sweep's runs. */
  readonly variedNames: readonly string[];
  readonly state: RunState;
  readonly stateReason: string;
  readonly stage: Stage | null;
  readonly epochCount: number;
  /** Epochs that the stage was given. */
  readonly epochLimit: number;
  /** Objective's best value over all stages. */
  readonly bestValue: number | null;
  readonly bestStage: Stage | null;
  /** Epoch of the best value, from 1; 0 before the first epoch with a value. */
  readonly bestEpoch: number;
  /** Validation loss at the best epoch. */
  readonly bestValLoss: number | null;
  /** Validation accuracy at the best epoch. */
  readonly bestValAccuracy: number | null;
  readonly lastValue: number | null;
  readonly attemptCount: number;
  /** Maximum resident memory, in bytes, of a worker process while it trained the run and its group. */
  readonly peakMemoryBytes: number | null;
  /** The run whose head this run shares; null: it trains its own head, or has none. */
  readonly headRunId: string | null;
  /** Highest rung that it entered: position in the sweep's ladder, from 0. */
  readonly rung: number | null;
  /** Rung at which it is paused. */
  readonly pausedRung: number | null;
  /** Cause of its end; null before its end, and for runs that ended under an earlier version. */
  readonly endCause: EndCause | null;
  /** Run of another sweep whose result it took; null: it trained itself. */
  readonly reusedRunId: string | null;
  /** Bytes of the exported model's weights; null, as the other two: not planned yet, or planned by an earlier version. */
  readonly modelBytes: number | null;
  readonly parameterCount: number | null;
  /** Operations of a forward pass of one image. */
  readonly flops: number | null;
  /** Run of which it is another seed; null: it is none. */
  readonly repeatOfRunId: string | null;
  /** Mean of the objective over the run and its repetitions that succeeded; null: it was measured once. */
  readonly score: number | null;
  /** Standard error of the score over these trainings. */
  readonly scoreStandardError: number | null;
  /** Number of trainings of the score; 0: it was measured once. */
  readonly measurementCount: number;
  /** Sampler and version that asked for it; sobol, variant or defaults where no model did. Empty: the sweep has no rounds. */
  readonly sampler: string;
  /** Round in which it was added, from 0; null: the sweep has no rounds. */
  readonly round: number | null;
  /** Place in the round, from 1. */
  readonly roundPosition: number | null;
  readonly notes: string;
  /** Sorted. */
  readonly tags: readonly string[];
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}
