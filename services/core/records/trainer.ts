import type { Stage } from '../task.ts';

/** One device of a trainer and its current task. */
export interface SlotRecord {
  readonly slotIndex: number;
  readonly deviceKind: string;
  readonly deviceName: string;
  readonly memoryBytes: number;
  readonly threadCount: number;
  /** Null while the slot is idle, as is `stage`. */
  readonly taskId: string | null;
  readonly stage: Stage | null;
  /** Reason for leasing the slot no tasks; null: it is eligible. */
  readonly benchReason: string | null;
}

/** A registered trainer with its slots. */
export interface TrainerRecord {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  /** BENCHED: it sends heartbeats, but all of its slots are benched. */
  readonly state: 'READY' | 'DRAINING' | 'LOST' | 'BENCHED';
  readonly slots: readonly SlotRecord[];
  readonly heartbeatTime: Date;
  /** Number of its reports that the coordinator refused. */
  readonly refusalCount: number;
  /** Reason for leasing the trainer no more tasks; null: it is eligible. */
  readonly drainReason: string | null;
}
