/** A slot that may be given to another task. */
export interface OccupiedSlot {
  /** Trainer and index, for example `gpu-a/0`. */
  readonly slotId: string;
  /** 0: unknown, so that it may lease any task. */
  readonly memoryBytes: number;
  /** Null: the slot is idle. */
  readonly task: HeldTask | null;
}

/** A task that a slot works on. */
export interface HeldTask {
  readonly taskId: string;
  readonly leaseEpoch: number;
  readonly sweepId: string;
  /** Priority of its sweep. */
  readonly priority: number;
  /** True if it has a command that ends its attempt, so that the slot is about to be idle. */
  readonly isLeaving: boolean;
  /** True if it can be saved and continued, and was not preempted before it made progress. */
  readonly isPreemptible: boolean;
  /** Seconds since its last checkpoint; null: this attempt has saved none. */
  readonly unsavedSeconds: number | null;
  /** Seconds since its lease began. */
  readonly heldSeconds: number;
}

/** A task that is ready to be leased. */
export interface WaitingTask {
  readonly taskId: string;
  /** The sweep that waits: the task's own, or one that needs its result. */
  readonly sweepId: string;
  readonly priority: number;
  /** 0: unknown. */
  readonly memoryBytes: number;
  /** Slots that it is left to others for, because it failed there by a fault of the machine. */
  readonly avoidedSlotIds: ReadonlySet<string>;
}

/** A sweep that more slots work on than it may use. */
export interface Surplus {
  readonly sweepId: string;
  readonly maxParallelSlots: number;
}

/** Tasks that wait beside slots that are busy. */
export interface Contention {
  readonly slots: readonly OccupiedSlot[];
  /** Tasks that their sweeps may lease now, in the order in which they are leased. */
  readonly waiting: readonly WaitingTask[];
  readonly surpluses: readonly Surplus[];
}

/** A task that is to be saved and handed back. */
export interface Preemption {
  readonly victim: HeldTask;
  /** Task that gets the slot; null: its own sweep uses more slots than it may. */
  readonly heir: WaitingTask | null;
}

/**
 * Chooses the tasks that hand their slots back, for tasks of a higher priority or because their sweep uses too many slots.
 *
 * A waiting task takes a slot that is idle or about to be, if one suits it; only otherwise a task of a lower priority is preempted.
 * Equals never preempt each other, so that a preempted task can't take its slot back. The lowest priority loses its slot first, then the
 * task with the freshest checkpoint, then the one that began last.
 */
export function choosePreemptions({ slots, waiting, surpluses }: Contention): Preemption[] {
  const chosen: Preemption[] = surpluses.flatMap((surplus) => preemptSurplus(slots, surplus));
  const leaving = new Set(chosen.map(({ victim }) => victim.taskId));
  const free = slots.filter(({ task }) => task === null || task.isLeaving || leaving.has(task.taskId));
  const busy = slots.flatMap((slot) =>
    slot.task?.isPreemptible === true && !free.includes(slot) ? [{ slot, task: slot.task }] : [],
  );
  for (const heir of waiting) {
    const place = smallest(free.filter((slot) => suits(slot, heir)));
    if (place !== undefined) {
      free.splice(free.indexOf(place), 1);
      continue;
    }
    const lower = busy.filter(({ slot, task }) => task.priority < heir.priority && suits(slot, heir));
    const [found] = lower.toSorted((a, b) => a.task.priority - b.task.priority || byLoss(a.task, b.task));
    if (found === undefined) continue;
    busy.splice(busy.indexOf(found), 1);
    chosen.push({ victim: found.task, heir });
  }
  return chosen;
}

function preemptSurplus(slots: readonly OccupiedSlot[], { sweepId, maxParallelSlots }: Surplus): Preemption[] {
  const held = slots.flatMap(({ task }) => (task?.sweepId === sweepId && !task.isLeaving ? [task] : []));
  const tooMany = Math.max(0, held.length - maxParallelSlots);
  const victims = held.filter(({ isPreemptible }) => isPreemptible).toSorted(byLoss);
  return victims.slice(0, tooMany).map((victim) => ({ victim, heir: null }));
}

function suits({ slotId, memoryBytes }: OccupiedSlot, task: WaitingTask): boolean {
  return (memoryBytes === 0 || task.memoryBytes <= memoryBytes) && !task.avoidedSlotIds.has(slotId);
}

/** Returns the slot with the least memory, so that larger ones are left to larger tasks. */
function smallest(slots: readonly OccupiedSlot[]): OccupiedSlot | undefined {
  const size = ({ memoryBytes }: OccupiedSlot): number => (memoryBytes === 0 ? Infinity : memoryBytes);
  return slots.toSorted((a, b) => (size(a) === size(b) ? 0 : size(a) - size(b)))[0];
}

/** Orders tasks by what is lost if one is not saved in time: the freshest checkpoint first, then the shortest attempt. */
function byLoss(a: HeldTask, b: HeldTask): number {
  const unsaved = ({ unsavedSeconds, heldSeconds }: HeldTask): number => unsavedSeconds ?? heldSeconds;
  return unsaved(a) - unsaved(b) || a.heldSeconds - b.heldSeconds || (a.taskId < b.taskId ? -1 : 1);
}
