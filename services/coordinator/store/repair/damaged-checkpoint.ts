import type { RunState } from '../../../core/states/run-state.ts';
import type { Stage } from '../../../core/task.ts';

/** What the coordinator itself found wrong with checkpoints that a trainer reported as damaged, by checkpoint. */
export type ConfirmedDamage = ReadonlyMap<string, string>;

export interface DamagedCheckpoint {
  readonly checkpoint_id: string;
  readonly run_id: string;
  readonly run_state: RunState;
  /** Task that trained it. */
  readonly task_id: string;
  readonly stage: Stage;
  readonly epoch: number;
  readonly uri: string;
  /** Whether the reporting task starts from it as the result of another stage, or resumes from it where not. */
  readonly is_source: boolean;
  /** Runs of the reporting task that start from it. */
  readonly member_ids: string[];
  /** Damaged ones of the same run, stage and kind before it. */
  readonly damaged_before: number;
  /** Whether the same epoch's tensors are stored a second time. */
  readonly has_twin: boolean;
}
