import { describe, expect, test } from 'vitest';
import {
  autoEpochs,
  describeRung,
  ladderOf,
  milestoneEpochs,
  pathOf,
  stepAfter,
} from '../../../../services/core/stopping/ladder.ts';
import { pauseEpoch, policyOf } from '../../../../services/core/stopping/policy.ts';
import { STOPPING_DEFAULTS } from '../../../../services/core/sweep/search-spec.ts';
import { ACCURACY, alike, searchPolicy } from '../support/search-inputs.ts';

describe('autoEpochs', () => {
  test.each([
    [30, 3, [4, 10]],
    [9, 3, [3]],
    [27, 3, [3, 9]],
    [100, 3, [12, 34]],
    [100, 10, [10]],
    [1000, 10, [100]],
    [52, 3, [6, 18]],
    [8, 2, [2, 4]],
    [5, 3, []],
    [2, 3, []],
    [0, 3, []],
  ])('%i epochs, η %i: %j', (limit, reductionFactor, milestones) => {
    expect(autoEpochs(limit, reductionFactor)).toEqual(milestones);
  });
});

describe('ladderOf', () => {
  const mixed = [
    { index: 0, headEpochs: 20, augmented: false, fineTuneEpochs: null },
    { index: 1, headEpochs: 20, augmented: false, fineTuneEpochs: 30 },
    { index: 2, headEpochs: 40, augmented: true, fineTuneEpochs: 10 },
    { index: 3, headEpochs: 0, augmented: false, fineTuneEpochs: 3 },
  ];

  test('has the end of the heads, then milestones of fine-tuning and its end', () => {
    const ladder = ladderOf(null, 3, mixed, false);
    expect(ladder.map(describeRung)).toEqual([
      'rung 0 (end of the head)',
      'rung 1 (fine-tuning, epoch 4)',
      'rung 2 (fine-tuning, epoch 10)',
      'rung 3 (end of fine-tuning)',
    ]);
  });

  test('lets a run pass the milestones before its own end only', () => {
    const ladder = ladderOf({ head: [10, 30], fineTune: [4, 10] }, 3, mixed, false);
    const paths = mixed.map((run) => pathOf(ladder, run).map(({ rung, epoch }) => `${rung}:${epoch}`));
    expect(paths).toEqual([
      ['2:20'],
      ['2:20', '3:4', '4:10', '5:30'],
      // Only augmented heads have milestones, and epoch 10 of 10 is the end.
      ['0:10', '1:30', '2:40', '3:4', '5:10'],
      ['5:3'],
    ]);
    const path = pathOf(ladder, mixed[2]!);
    expect(milestoneEpochs(path, 'HEAD')).toEqual([10, 30]);
    expect(milestoneEpochs(path, 'FINE_TUNE')).toEqual([4]);
    expect(stepAfter(path, 3)).toMatchObject({ rung: 5, isEnd: true });
    expect(stepAfter(path, 5)).toBeNull();
  });

  test('omits stages and milestones that no run has', () => {
    expect(ladderOf({ head: [], fineTune: [3, 27, 50] }, 3, alike(2), true).map(({ epoch }) => epoch)).toEqual([
      3,
      null,
    ]);
    expect(ladderOf(null, 3, alike(2, { headEpochs: 5, fineTuneEpochs: null }), true)).toEqual([
      { number: 0, stage: 'HEAD', epoch: null },
    ]);
  });

  test('gives augmented heads derived milestones under rules that stop', () => {
    const runs = alike(3, { headEpochs: 30, augmented: true, fineTuneEpochs: null });
    expect(searchPolicy(runs, { rule: 'asha' }).ladder.map(({ epoch }) => epoch)).toEqual([4, 10, null]);
    expect(searchPolicy(runs, { rule: 'asha', synchronous: true }).ladder.map(({ epoch }) => epoch)).toEqual([null]);
  });
});

describe('policyOf', () => {
  const heads = alike(3, { headEpochs: 5, fineTuneEpochs: null });

  test('is none without a section, with no rung at all', () => {
    expect(policyOf({ seed: 0, objective: ACCURACY }, alike(3))).toMatchObject({ rule: 'none@2', ladder: [] });
    expect(searchPolicy(alike(3), { rule: 'none' }).ladder).toEqual([]);
  });

  test('is promotion where a run is fine-tuned, if the section names no rule', () => {
    expect(searchPolicy(alike(3), {})).toMatchObject({ rule: 'promotion@2', minEntries: 6 });
    expect(searchPolicy([...heads, alike(4)[3]!], {}).rule).toBe('promotion@2');
    expect(searchPolicy(heads, {}).rule).toBe('none@2');
  });

  test('has rungs for a limit beside no rule', () => {
    expect(searchPolicy(alike(3), { rule: 'none', threshold: { worseThan: 0.5, fromEpoch: 1 } }).ladder).toHaveLength(
      3,
    );
  });

  test.each([
    ['asha', 3],
    ['median', 5],
    ['percentile', 5],
    ['paired', 3],
    ['promotion', 6],
  ] as const)('%s needs %i entries unless min_entries is set', (rule, minEntries) => {
    expect(searchPolicy(alike(3), { rule }).minEntries).toBe(minEntries);
    expect(searchPolicy(alike(3), { rule, minEntries: 9 }).minEntries).toBe(9);
  });
});

describe('pauseEpoch', () => {
  const runs = alike(1, { headEpochs: 5 });
  const path = (stopping: object) => pathOf(searchPolicy(runs, stopping).ladder, runs[0]!);

  test('is the next milestone of fine-tuning under promotion, then none: to the end', () => {
    const policy = searchPolicy(runs, {});
    expect([null, 0, 1, 2].map((rung) => pauseEpoch(policy, path({}), rung))).toEqual([3, 3, 9, null]);
  });

  test('is none under rules that stop, unless the sweep is synchronous', () => {
    const policy = searchPolicy(runs, { rule: 'asha' });
    expect(pauseEpoch(policy, path({ rule: 'asha' }), 0)).toBeNull();
    expect(pauseEpoch({ ...policy, synchronous: true }, path({ rule: 'asha' }), 0)).toBe(3);
    expect(STOPPING_DEFAULTS.synchronous).toBe(false);
  });
});
