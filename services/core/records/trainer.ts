import type { Stage } from '../task.ts';

export interface SlotRecord {
  readonly slotIndex: number;
  readonly deviceKind: string;
  readonly deviceName: string;
  readonly memoryBytes: number;
  readonly threadCount: number;
  /** What it works on; null where idle. */
  readonly taskId: string | null;
  readonly stage: Stage | null;
  /** Why it gets no tasks; null: it does. */
  readonly benchReason: string | null;
}

export interface TrainerRecord {
  readonly trainerId: string;
  readonly hostname: string;
  readonly version: string;
  readonly engineVersion: string;
  /** BENCHED: it lives, and none of its slots gets tasks. */
  readonly state: 'READY' | 'DRAINING' | 'LOST' | 'BENCHED';
  readonly slots: readonly SlotRecord[];
  readonly heartbeatTime: Date;
  /** Reports of it that were refused. */
  readonly refusalCount: number;
  /** Why the coordinator gives it no more work; null: it does. */
  readonly drainReason: string | null;
}
