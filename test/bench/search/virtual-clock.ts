/** Work of one slot: milestones at rising seconds from its start; the last one is its end. */
export interface Work {
  readonly milestones: readonly number[];
}

/** The party under test, which decides what slots do. */
export interface Dispatcher<W extends Work> {
  /** Returns the next work for an idle slot; null: none is ready. */
  next(): W | null | Promise<W | null>;
  /** Called when a work reaches a milestone, by position. Returns whether it continues; ignored at the last one. */
  reached(work: W, milestone: number): boolean | Promise<boolean>;
  /** Called when a work has left its slot, whose `seconds` it took, before slots are filled again. */
  ended?(work: W, seconds: number): void;
}

export interface ClockReading {
  readonly wallSeconds: number;
  readonly slotSeconds: number;
}

interface Running<W> {
  readonly work: W;
  readonly start: number;
  readonly order: number;
  milestone: number;
}

/**
 * Runs a dispatcher on a number of slots and a clock that jumps from event to event. Events at the same moment happen in the order in
 * which their works started, so that the same world gives each dispatcher the same order of arrival.
 */
export async function runOnSlots<W extends Work>(slots: number, dispatcher: Dispatcher<W>): Promise<ClockReading> {
  const running: Running<W>[] = [];
  const timeOf = ({ start, work, milestone }: Running<W>): number => start + (work.milestones[milestone] ?? 0);
  let now = 0;
  let started = 0;
  let slotSeconds = 0;
  for (;;) {
    while (running.length < slots) {
      const work = await dispatcher.next();
      if (work === null) break;
      running.push({ work, start: now, order: started++, milestone: 0 });
    }
    const event = running.reduce<Running<W> | null>((first, other) => {
      const difference = first === null ? -1 : timeOf(other) - timeOf(first) || other.order - first.order;
      return difference < 0 ? other : first;
    }, null);
    if (event === null) return { wallSeconds: now, slotSeconds };
    now = timeOf(event);
    const continues = await dispatcher.reached(event.work, event.milestone);
    if (continues && event.milestone + 1 < event.work.milestones.length) {
      event.milestone += 1;
      continue;
    }
    running.splice(running.indexOf(event), 1);
    const seconds = now - event.start;
    slotSeconds += seconds;
    dispatcher.ended?.(event.work, seconds);
  }
}
