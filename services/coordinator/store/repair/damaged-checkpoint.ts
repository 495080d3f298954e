import type { RunState } from '../../../core/states/run-state.ts';
import type { Stage } from '../../../core/task.ts';

/** Damage by checkpoint, confirmed by the coordinator after a trainer reported it. */
export type ConfirmedDamage = ReadonlyMap<string, string>;

export interface DamagedCheckpoint {
  readonly checkpoint_id: string;
  readonly run_id: string;
  readonly run_state: RunState;
  /** Task that trained the checkpoint. */
  readonly task_id: string;
  readonly stage: Stage;
  readonly epoch: number;
  readonly uri: string;
  /** True if the reporting task starts from it as the result of another stage; otherwise it resumes from it. */
  readonly is_source: boolean;
  /** Runs of the reporting task that start from it. */
  readonly member_ids: string[];
  /** Number of damaged checkpoints of the same run, stage and kind besides this one. */
  readonly damaged_before: number;
  /** True if another checkpoint stores the tensors of the same epoch. */
  readonly has_twin: boolean;
}
