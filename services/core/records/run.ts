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
] as const;
export type EndCause = (typeof END_CAUSES)[number];

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
  readonly notes: string;
  /** Sorted. */
  readonly tags: readonly string[];
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}
