import { describe, expect, test } from 'vitest';
import { createStream } from '../../../services/core/rng/stream.ts';
import type { RandomStream } from '../../../services/core/rng/stream.ts';
import { pairedBootstrap } from '../../../services/core/statistics/paired-bootstrap.ts';
import { wilsonInterval } from '../../../services/core/statistics/wilson-interval.ts';

const SIMULATIONS = 2_000;
/** Accepted coverage of an interval with nominal 95 %. 2,000 simulations have a standard error of 0.5 %. */
const LOW = 0.93;
const HIGH = 0.97;

/** Answers of a classifier that is right with a probability. */
function flips(stream: RandomStream, count: number, probability: number): boolean[] {
  return Array.from({ length: count }, () => stream.uniform() < probability);
}

function share(count: number, isHit: (simulation: number) => boolean): number {
  let hits = 0;
  for (let simulation = 0; simulation < count; simulation += 1) if (isHit(simulation)) hits += 1;
  return hits / count;
}

describe('the 95 % interval of an accuracy covers the truth in 93 to 97 % of 2,000 simulations', () => {
  test.each([
    ['a coin', 0.5, 200],
    ['a coin', 0.5, 2_000],
    ['a good classifier', 0.9, 500],
    ['a very good one', 0.975, 2_000],
  ])('%s: right with %f, %i images', (_, truth, images) => {
    const stream = createStream(11, 'wilson', truth, images);
    const covered = share(SIMULATIONS, () => {
      const right = flips(stream, images, truth).filter(Boolean).length;
      const { low, high } = wilsonInterval(right, images);
      return low <= truth && truth <= high;
    });
    expect(covered).toBeGreaterThanOrEqual(LOW);
    expect(covered).toBeLessThanOrEqual(HIGH);
  });
});

describe('winner against baseline on the same images', () => {
  const IMAGES = 120;
  const RESAMPLES = 300;

  /** Both are right on the images that are easy; on the others each by itself. */
  function compare(stream: RandomStream, winner: number, baseline: number, seed: number) {
    const easy = flips(stream, IMAGES, 0.5);
    const answers = (probability: number): boolean[] => easy.map((isEasy) => isEasy || stream.uniform() < probability);
    return pairedBootstrap(answers(winner), answers(baseline), seed, RESAMPLES);
  }

  test('covers 0 in 93 to 97 % for two coins, and reports "not distinguishable" exactly then', () => {
    const stream = createStream(12, 'coins');
    let disagreements = 0;
    const covered = share(SIMULATIONS, (simulation) => {
      const { interval, distinguishable } = compare(stream, 0.5, 0.5, simulation);
      const holdsZero = interval.low <= 0 && 0 <= interval.high;
      if (holdsZero === distinguishable) disagreements += 1;
      return holdsZero;
    });
    expect(covered).toBeGreaterThanOrEqual(LOW);
    expect(covered).toBeLessThanOrEqual(HIGH);
    expect(disagreements).toBe(0);
  });

  test('covers a difference of 10 of 100 in 93 to 97 %', () => {
    const stream = createStream(13, 'better');
    const covered = share(SIMULATIONS, (simulation) => {
      const { interval } = compare(stream, 0.7, 0.5, simulation);
      return interval.low <= 0.1 && 0.1 <= interval.high;
    });
    expect(covered).toBeGreaterThanOrEqual(LOW);
    expect(covered).toBeLessThanOrEqual(HIGH);
  });

  test('distinguishes a large difference', () => {
    const stream = createStream(14, 'large');
    expect(share(100, (simulation) => compare(stream, 1, 0.5, simulation).distinguishable)).toBe(1);
  });
});
