import type { RunState } from '../states/run-state.ts';
import type { Parameters } from '../sweep/sweep-spec.ts';
import type { Stage } from '../task.ts';

export interface RunRecord {
  readonly runId: string;
  readonly sweepId: string;
  readonly runIndex: number;
  readonly parameters: Parameters;
  readonly variedNames: readonly string[];
  readonly state: RunState;
  readonly stateReason: string;
  readonly stage: Stage;
  readonly epochCount: number;
  readonly epochLimit: number;
  readonly bestValue: number | null;
  readonly bestStage: Stage | null;
  readonly bestEpoch: number | null;
  readonly bestValLoss: number | null;
  readonly bestValAccuracy: number | null;
  readonly lastValue: number | null;
  readonly attemptCount: number;
  readonly peakMemoryBytes: number | null;
  /** The run whose head it shares; null: its own, or none. */
  readonly headRunId: string | null;
  readonly createTime: Date;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}
