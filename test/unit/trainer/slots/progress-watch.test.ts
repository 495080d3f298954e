import { describe, expect, it } from 'vitest';
import { ProgressWatch } from '../../../../services/trainer/slots/progress-watch.ts';

describe('ProgressWatch', () => {
  it('allows 120 s without progress after fast steps', () => {
    const watch = new ProgressWatch(0);
    expect(watch.stuckForMs(120_000)).toBeNull();
    expect(watch.stuckForMs(120_001)).toBe(120_001);
    for (let step = 1; step <= 100; step += 1) watch.step(step, step * 10);
    expect(watch.stuckForMs(1_000 + 120_000)).toBeNull();
    expect(watch.stuckForMs(1_000 + 120_001)).toBe(120_001);
  });

  it('allows five median steps where steps are slow', () => {
    const watch = new ProgressWatch(0);
    for (let step = 1; step <= 9; step += 1) watch.step(step, step * 60_000);
    // One slow step does not change the median.
    watch.step(10, 540_000 + 250_000);
    expect(watch.stuckForMs(790_000 + 300_000)).toBeNull();
    expect(watch.stuckForMs(790_000 + 300_001)).not.toBeNull();
  });

  it('counts a smaller step count and other work as progress, but not the same step count', () => {
    const watch = new ProgressWatch(0);
    watch.step(5, 1_000);
    watch.step(5, 100_000);
    expect(watch.stuckForMs(121_001)).toBe(120_001);
    watch.step(1, 121_002);
    expect(watch.stuckForMs(121_003)).toBeNull();
    watch.touch(300_000);
    expect(watch.stuckForMs(300_001)).toBeNull();
  });
});
