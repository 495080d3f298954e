import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choosePreemptions } from '../../../services/core/preemption.ts';
import type { Contention, HeldTask, OccupiedSlot, WaitingTask } from '../../../services/core/preemption.ts';

function held(taskId: string, change: Partial<HeldTask> = {}): HeldTask {
  return {
    taskId,
    leaseEpoch: 1,
    sweepId: 'low',
    priority: 0,
    isLeaving: false,
    isPreemptible: true,
    unsavedSeconds: 10,
    heldSeconds: 100,
    ...change,
  };
}

function slot(slotId: string, task: HeldTask | null, memoryBytes = 0): OccupiedSlot {
  return { slotId, memoryBytes, task };
}

function waiting(taskId: string, change: Partial<WaitingTask> = {}): WaitingTask {
  return { taskId, sweepId: 'high', priority: 5, memoryBytes: 0, avoidedSlotIds: new Set(), ...change };
}

/** Pairs of victim and heir. */
function chosen(contention: Partial<Contention>): string[] {
  return choosePreemptions({ slots: [], waiting: [], surpluses: [], ...contention }).map(
    ({ victim, heir }) => `${victim.taskId} for ${heir?.taskId ?? 'nothing'}`,
  );
}

describe('choosePreemptions', () => {
  it('takes the slot of the lowest priority, there the freshest checkpoint, then the shortest attempt', () => {
    const slots = [
      slot('a', held('mid', { priority: 1, unsavedSeconds: 0 })),
      slot('b', held('stale', { unsavedSeconds: 60 })),
      slot('c', held('fresh', { unsavedSeconds: 2 })),
      slot('d', held('unsaved', { unsavedSeconds: null, heldSeconds: 30 })),
    ];
    expect(chosen({ slots, waiting: ['x', 'y', 'z', 'w', 'v'].map((id) => waiting(id)) })).toEqual([
      'fresh for x',
      'unsaved for y',
      'stale for z',
      'mid for w',
    ]);
    const equal = [slot('a', held('long', { heldSeconds: 50 })), slot('b', held('short', { heldSeconds: 5 }))];
    expect(chosen({ slots: equal, waiting: [waiting('x')] })).toEqual(['short for x']);
  });

  it.each([
    ['an idle slot is there', [slot('a', held('t')), slot('b', null)]],
    ['a slot is about to be idle', [slot('a', held('t')), slot('b', held('u', { isLeaving: true }))]],
    ['all are of the same priority', [slot('a', held('t', { priority: 5 }))]],
    ['all are of a higher priority', [slot('a', held('t', { priority: 6 }))]],
    ['none can be saved', [slot('a', held('t', { isPreemptible: false }))]],
  ])('preempts nothing where %s', (_, slots) => {
    expect(chosen({ slots, waiting: [waiting('x')] })).toEqual([]);
  });

  it('preempts only on slots that suit the task', () => {
    const slots = [slot('small', held('t', { unsavedSeconds: 0 }), 4e9), slot('large', held('u'), 8e9)];
    expect(chosen({ slots, waiting: [waiting('x', { memoryBytes: 6e9 })] })).toEqual(['u for x']);
    expect(chosen({ slots, waiting: [waiting('x', { memoryBytes: 9e9 })] })).toEqual([]);
    expect(chosen({ slots, waiting: [waiting('x', { avoidedSlotIds: new Set(['small']) })] })).toEqual(['u for x']);
    expect(chosen({ slots, waiting: [waiting('x', { avoidedSlotIds: new Set(['small', 'large']) })] })).toEqual([]);
    const idle = [slot('small', null, 4e9), slot('large', held('u'), 8e9)];
    expect(chosen({ slots: idle, waiting: [waiting('x', { memoryBytes: 6e9 })] })).toEqual(['u for x']);
  });

  it('leaves large idle slots to large tasks', () => {
    const slots = [slot('large', null, 8e9), slot('small', null, 4e9), slot('busy', held('t'), 8e9)];
    expect(chosen({ slots, waiting: [waiting('x'), waiting('y', { memoryBytes: 6e9 })] })).toEqual([]);
  });

  it('takes back what a sweep uses too much, and gives it to a waiting task before it preempts for that', () => {
    const slots = ['a', 'b', 'c'].map((id, index) => slot(id, held(id, { sweepId: 'wide', unsavedSeconds: index })));
    const surpluses = [{ sweepId: 'wide', maxParallelSlots: 1 }];
    expect(chosen({ slots, surpluses })).toEqual(['a for nothing', 'b for nothing']);
    const busy = [...slots, slot('d', held('d'))];
    expect(chosen({ slots: busy, surpluses, waiting: [waiting('x'), waiting('y'), waiting('z')] })).toEqual([
      'a for nothing',
      'b for nothing',
      'c for z',
    ]);
    const leaving = slots.map((one) => ({ ...one, task: one.task && { ...one.task, isLeaving: true } }));
    expect(chosen({ slots: leaving, surpluses })).toEqual([]);
  });

  it('never preempts an equal or a higher one, one task twice, or more than wait', () => {
    const task = fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      isLeaving: fc.boolean(),
      isPreemptible: fc.boolean(),
      unsavedSeconds: fc.option(fc.nat(100)),
      heldSeconds: fc.nat(100),
    });
    const contention = fc.record({
      slots: fc.array(fc.record({ memoryBytes: fc.nat(3), task: fc.option(task) }), { maxLength: 8 }),
      waiting: fc.array(fc.record({ priority: fc.integer({ min: -2, max: 2 }), memoryBytes: fc.nat(3) }), {
        maxLength: 8,
      }),
    });
    fc.assert(
      fc.property(contention, (drawn) => {
        const slots = drawn.slots.map((one, index) =>
          slot(`s${index}`, one.task && held(`t${index}`, one.task), one.memoryBytes),
        );
        const ready = drawn.waiting.map((one, index) => waiting(`w${index}`, one));
        const preemptions = choosePreemptions({ slots, waiting: ready, surpluses: [] });
        expect(new Set(preemptions.map(({ victim }) => victim.taskId)).size).toBe(preemptions.length);
        expect(new Set(preemptions.map(({ heir }) => heir?.taskId)).size).toBe(preemptions.length);
        const free = slots.filter((one) => one.task === null || one.task.isLeaving).length;
        // Slots of unknown memory suit every task, so that each free one saves a preemption.
        const all = slots.every(({ memoryBytes }) => memoryBytes === 0);
        if (all) expect(preemptions.length).toBeLessThanOrEqual(Math.max(0, ready.length - free));
        for (const { victim, heir } of preemptions) {
          expect(victim).toMatchObject({ isLeaving: false, isPreemptible: true });
          expect(victim.priority).toBeLessThan(heir?.priority ?? -Infinity);
        }
      }),
    );
  });
});
