import type { SweepState } from '../states/sweep-state.ts';
import type { SearchEnd } from './decision.ts';
import type { BudgetSpec } from '../sweep/search-spec.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';

/** A submitted sweep and its results so far. */
export interface SweepRecord {
  readonly sweepId: string;
  readonly spec: SweepSpec;
  /** Current name; the spec has the submitted one. */
  readonly displayName: string;
  readonly notes: string;
  /** Sorted. */
  readonly tags: readonly string[];
  readonly state: SweepState;
  readonly stateReason: string;
  /** Null until the data set is indexed. */
  readonly datasetId: string | null;
  readonly runCount: number;
  /** Sum of the five counts by outcome that follow. */
  readonly finishedRunCount: number;
  readonly succeededRunCount: number;
  readonly failedRunCount: number;
  readonly infeasibleRunCount: number;
  readonly stoppedRunCount: number;
  readonly cancelledRunCount: number;
  /** Runs that took the result of a run of another sweep; included in `succeededRunCount`. */
  readonly reusedRunCount: number;
  /** Runs that wait at a rung. */
  readonly pausedRunCount: number;
  /** Seconds of all attempts so far, lost ones included. */
  readonly spentSlotSeconds: number;
  /** Null: the search continues, or none was needed. */
  readonly searchEnd: SearchEnd | null;
  readonly bestRunId: string | null;
  readonly bestValue: number | null;
  /** Run that the rule of the spec chose; null: the sweep has not ended, or ended under an earlier version. */
  readonly winnerRunId: string | null;
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  /** Current bounds; the spec has the submitted ones. Null: none. */
  readonly budget: BudgetSpec | null;
  /** Current priority. */
  readonly priority: number;
  /** Current maximum number of slots at once; null: all. */
  readonly maxParallelSlots: number | null;
  /** True if run 0 is the baseline, as it was before the first extension; null: the spec says it (`core/samplers/baseline.ts`). */
  readonly hasBaseline: boolean | null;
  /** Rounds of an adaptive strategy so far, the first one included; 0 for other strategies. */
  readonly roundCount: number;
}
