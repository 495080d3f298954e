import type { SweepState } from '../states/sweep-state.ts';
import type { SweepSpec } from '../sweep/sweep-spec.ts';

export interface SweepRecord {
  readonly sweepId: string;
  readonly spec: SweepSpec;
  readonly state: SweepState;
  readonly stateReason: string;
  readonly datasetId: string | null;
  readonly runCount: number;
  readonly finishedRunCount: number;
  /** Finished runs by outcome, as are the next four. */
  readonly succeededRunCount: number;
  readonly failedRunCount: number;
  readonly infeasibleRunCount: number;
  readonly stoppedRunCount: number;
  readonly cancelledRunCount: number;
  readonly bestRunId: string | null;
  readonly bestValue: number | null;
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}
