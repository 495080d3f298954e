import { describe, expect, it } from 'vitest';
import { describeFault, planFaults } from './schedule.ts';
import type { ScheduleOptions } from './schedule.ts';

const OPTIONS: ScheduleOptions = { seed: 7, faultCount: 40, trainerCount: 3, coordinatorCount: 2, leaseMs: 6_000 };

describe('planFaults', () => {
  it('returns the same faults for the same seed, and other faults for another', () => {
    expect(planFaults(OPTIONS)).toEqual(planFaults(OPTIONS));
    expect(planFaults({ ...OPTIONS, seed: 8 })).not.toEqual(planFaults(OPTIONS));
  });

  it('extends a shorter schedule to a longer one', () => {
    expect(planFaults(OPTIONS).slice(0, 8)).toEqual(planFaults({ ...OPTIONS, faultCount: 8 }));
  });

  it('has every kind of fault in a round, within and past the lease', () => {
    const actions = planFaults({ ...OPTIONS, faultCount: 23 }).map(({ action }) => action);
    expect(new Set(actions.map(({ kind }) => kind))).toEqual(
      new Set(['KILL', 'STOP', 'CUT', 'BLACK_HOLE', 'DELAY', 'QUOTA', 'POSTGRES', 'DAMAGE']),
    );
    const damaged = actions.flatMap((action) => (action.kind === 'DAMAGE' ? [action.stored.kind] : []));
    expect(damaged.toSorted()).toEqual(['checkpoint', 'features', 'images', 'manifest']);
    const stops = actions.filter((action) => action.kind === 'STOP');
    for (const part of ['worker', 'supervisor', 'coordinator']) {
      const lengths = stops.filter(({ target }) => target.part === part).map(({ durationMs }) => durationMs > 6_000);
      expect(lengths.toSorted()).toEqual([false, true]);
    }
  });

  it('describes the faults', () => {
    expect(
      describeFault({ number: 3, afterMs: 1_240, action: { kind: 'KILL', target: { part: 'worker', index: 1 } } }),
    ).toBe('#3 after 1.2 s: KILL worker 1');
  });
});
