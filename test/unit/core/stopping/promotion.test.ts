import { describe, expect, test } from 'vitest';
import type { LadderRun } from '../../../../services/core/stopping/ladder.ts';
import { policyOf } from '../../../../services/core/stopping/policy.ts';
import { replay } from '../../../../services/core/stopping/replay.ts';
import type { StoppingSpec } from '../../../../services/core/sweep/search-spec.ts';
import { STOPPING_DEFAULTS } from '../../../../services/core/sweep/search-spec.ts';
import { simulate } from '../support/search-simulation.ts';

const ACCURACY = { metric: 'val_accuracy', goal: 'maximize' } as const;

function fineTunes(count: number, epochs: number, headEpochs = 0): LadderRun[] {
  return Array.from({ length: count }, (_, index) => ({ index, headEpochs, augmented: false, fineTuneEpochs: epochs }));
}

function policy(runs: readonly LadderRun[], stopping: Partial<StoppingSpec> = {}) {
  return policyOf({ objective: ACCURACY, stopping: { ...STOPPING_DEFAULTS, ...stopping } }, runs);
}

describe('promotion', () => {
  // Ranks by run number: late runs are the best in the first order, the worst in the second.
  test.each([
    ['the best come last', (run: number) => run],
    ['the best come first', (run: number) => -run],
    ['mixed', (run: number) => (run * 5) % 9],
    ['equal', () => 0.5],
  ])('trains 9·3 + 4·6 + 2·18 epochs of 9 fine-tunes on one slot: %s', (_order, valueOf) => {
    const runs = fineTunes(9, 27);
    const world = { policy: policy(runs, { rungs: { head: [], fineTune: [3, 9] } }), runs, slots: 1, valueOf };
    const { epochs, end, runs: ended, stored, decisions } = simulate(world);
    expect(epochs).toBe(9 * 3 + 4 * 6 + 2 * 18);
    expect(end?.cause).toBe('ALL_DECIDED');
    expect(ended.filter(({ status }) => status === 'DONE')).toHaveLength(2);
    expect(replay(stored, decisions)).toEqual([]);
  });
});
