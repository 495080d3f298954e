import { describe, expect, it } from 'vitest';
import { createStream } from '../../../../services/core/rng/stream.ts';
import { GRAFT_RULES, scoreGraft } from '../../../bench/search/curves.ts';
import { searchWithGraft } from '../../../bench/search/graft-search.ts';
import { measureRules } from '../../../bench/search/noise.ts';
import { secondsUntil } from '../../../bench/search/outcome.ts';
import { meanOf } from '../../../bench/search/paired-interval.ts';
import type { World } from '../../../bench/search/world.ts';
import { readLcBench } from '../../../bench/search/worlds/lcbench.ts';

/** A quick sample of `npm run bench:search`, which has peers and more seeds. */
describe('searches on a virtual clock', () => {
  it('finds good curves for a third of the epochs', async (context) => {
    const data = readLcBench();
    if ('reason' in data) return context.skip(data.reason);
    const scores = await scoreGraft(data, 20, GRAFT_RULES['Graft promotion'] ?? {});
    expect(meanOf(scores.epochs).mean).toBeLessThanOrEqual(0.36);
    expect(meanOf(scores.regrets).mean).toBeLessThanOrEqual(0.0015);
  });

  it('stops few of the runs that are equal', async () => {
    const equal = new Array<number>(24).fill(0.94);
    const measured = await measureRules({ paired: { rule: 'paired' }, asha: { rule: 'asha' } }, 10, (seed) => ({
      accuracies: equal,
      metric: 'val_loss',
      images: 200,
      seed,
    }));
    expect(meanOf(measured.get('paired')?.stopped ?? []).mean).toBeLessThanOrEqual(0.1);
    // The world is one in which a rule without evidence stops most runs.
    expect(meanOf(measured.get('asha')?.stopped ?? []).mean).toBeGreaterThan(0.5);
  });

  it('trains 9·3 + 4·6 + 2·18 epochs of 9 runs on one slot, in whichever order they are good', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const outcome = await searchWithGraft(drawnWorld(9, 27, seed), {
        stopping: { rule: 'promotion', rungs: { head: [], fineTune: [3, 9] } },
        slots: 1,
      });
      expect(outcome.epochs).toBe(9 * 3 + 4 * 6 + 2 * 18);
    }
  });

  it('trains all heads, then fine-tunes the promising third', async () => {
    const outcome = await searchWithGraft(stagedWorld(16, 9), { stopping: { rule: 'promotion' }, slots: 1 });
    // 6 of 16 heads are fine-tuned to epoch 3, then 3 of 6 to epoch 9.
    expect(outcome.epochs).toBe(6 * 3 + 3 * 6);
    expect(outcome.complete).toHaveLength(3);
  });

  it('counts the slot-seconds until a run arrives at a rung', async () => {
    const world = stagedWorld(16, 9);
    const { arrivals, slotSeconds, winner } = await searchWithGraft(world, {
      stopping: { rule: 'promotion' },
      slots: 1,
    });
    const times = arrivals.map((arrival) => arrival.slotSeconds);
    // Features and heads take 5 s each; the first fine-tune starts in 1 s and trains 3 epochs of 1 s.
    expect(times.slice(0, 17)).toEqual([...new Array<number>(16).fill(10), 14]);
    expect(times.at(-1)).toBeCloseTo(slotSeconds, 9);
    expect(times).toContain(secondsUntil(world, arrivals, ({ run }) => run === winner.run));
    expect(secondsUntil(world, arrivals, ({ value }) => value > winner.value)).toBeNull();
  });

  it('spends a budget of slot-seconds, and at most one task more', async () => {
    const world = stagedWorld(16, 9);
    for (const slotSeconds of [40, 60, 90]) {
      const budget = { slotSeconds, wallSeconds: null, target: null };
      const outcome = await searchWithGraft(world, { stopping: { rule: 'promotion' }, slots: 2, budget });
      expect(outcome.slotSeconds).toBeLessThanOrEqual(slotSeconds + 1 + 6);
      expect(outcome.complete.length).toBeGreaterThan(0);
    }
  });

  it('keeps to a budget of slot-seconds however wrong the forecast is', async () => {
    const world = stagedWorld(16, 9);
    const budget = { slotSeconds: 60, wallSeconds: null, target: null };
    const spent = await Promise.all(
      [0.5, 1, 2].map(async (forecastFactor) => {
        const options = { stopping: { rule: 'promotion' as const }, slots: 2, budget, forecastFactor };
        return (await searchWithGraft(world, options)).slotSeconds;
      }),
    );
    const [low = 0, exact = 0, high = 0] = spent;
    // The longest task takes 1 + 6 seconds, and two run at once.
    expect(low).toBeLessThanOrEqual(60 + 2 * 7);
    expect(exact).toBeLessThanOrEqual(60);
    expect(high).toBeLessThan(exact);
    expect(low).toBeGreaterThanOrEqual(exact);
  });

  it('keeps what the ends of its fine-tunes cost while their features are computed', async () => {
    const world = stagedWorld(16, 9);
    const features = { stage: 'FEATURES' as const, seconds: 20, runs: [], after: null };
    const budget = { slotSeconds: 60, wallSeconds: null, target: null };
    const options = { stopping: { rule: 'promotion' as const }, slots: 2, budget };
    const outcome = await searchWithGraft({ ...world, shared: [...world.shared, features] }, options);
    // Without its 30 seconds of features and heads: 4 × 4 seconds to epoch 3, and 2 × 7 to the end.
    expect(outcome.complete).toHaveLength(2);
  });

  it("judges few seeds by Student's interval", () => {
    const values = Array.from({ length: 20 }, (_, index) => index);
    const { mean, low, high } = meanOf(values);
    // t of 19 degrees of freedom is 2.0930, the deviation √35.
    expect(mean).toBe(9.5);
    expect(high - mean).toBeCloseTo(2.093 * Math.sqrt(35 / 20), 3);
    expect(mean - low).toBeCloseTo(high - mean, 10);
    expect(() => meanOf([1])).toThrow(RangeError);
  });

  it('promotes at most half a cut for idle slots, in whichever order runs come', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const { promotions } = await searchWithGraft(drawnWorld(24, 27, seed), {
        stopping: { rule: 'promotion' },
        slots: 4,
      });
      const idle = promotions.filter((promotion) => promotion.idle);
      // The cut of 24 runs is 9.
      expect(idle.length).toBeLessThanOrEqual(4);
      expect(promotions.every(({ count }, at) => at > 0 || count >= 6)).toBe(true);
    }
  });

  it('promotes the same runs of a synchronous sweep, however long their epochs take', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const sets = [0, 1, 2].map(async (durations) => {
        const { promotions, epochs } = await searchWithGraft(drawnWorld(24, 27, seed, durations), {
          stopping: { rule: 'promotion', synchronous: true },
          slots: 4,
        });
        return { epochs, promoted: promotions.map(({ rung, runIndex }) => `${rung} ${runIndex}`).sort() };
      });
      const [first, ...others] = await Promise.all(sets);
      for (const other of others) expect(other).toEqual(first);
    }
  });
});

/** Returns fine-tunes whose values rise to a drawn height, with drawn seconds of each epoch. */
function drawnWorld(count: number, epochs: number, seed: number, durations = 0): World {
  const heights = createStream(seed, 'heights');
  const seconds = createStream(seed, 'durations', durations);
  const runs = Array.from({ length: count }, (_, index) => {
    const height = heights.uniform();
    const epochSeconds = seconds.uniformBetween(1, 5);
    const values = Array.from({ length: epochs }, (_unused, at) => height * (1 - 0.5 ** (at + 1)));
    const fineTune = {
      values,
      truths: values,
      seconds: values.map((_value, at) => (at + 1) * epochSeconds),
      evidenceAt: null,
    };
    return { index, headEpochs: 0, augmented: false, fineTuneEpochs: epochs, head: null, fineTune };
  });
  return {
    name: `drawn, seed ${seed}`,
    objective: { metric: 'val_accuracy', goal: 'maximize' },
    runs,
    shared: [],
    taskSeconds: 0,
  };
}

/** Returns runs whose heads one task trains, after one that computes features; a head is as good as its fine-tuning. */
function stagedWorld(count: number, epochs: number): World {
  const world = drawnWorld(count, epochs, 1);
  const runs = world.runs.map((run) => {
    const value = [run.fineTune?.values[epochs - 1] ?? 0];
    const fineTune = run.fineTune && { ...run.fineTune, seconds: Array.from({ length: epochs }, (_, at) => at + 1) };
    return { ...run, headEpochs: 1, head: { values: value, truths: value, seconds: [0], evidenceAt: null }, fineTune };
  });
  const shared = [
    { stage: 'FEATURES' as const, seconds: 5, runs: [], after: null },
    { stage: 'HEAD' as const, seconds: 5, runs: runs.map(({ index }) => index), after: 0 },
  ];
  return { ...world, runs, shared, taskSeconds: 1 };
}
