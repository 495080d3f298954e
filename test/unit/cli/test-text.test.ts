import { expect, test } from 'vitest';
import { describeLeaderboard } from '../../../services/cli/describe/leaderboard-text.ts';
import { describeEnd, describeSweep } from '../../../services/cli/describe/sweep-text.ts';
import { describeTest } from '../../../services/cli/describe/test-text.ts';
import type { TestResultRecord } from '../../../services/core/records/test-result.ts';
import { sampleRun, sampleSweep, sampleTestResult } from './sample-sweep.ts';

/** A test result with a class that was never found, and one that has no image. */
function withLostClass(): TestResultRecord {
  const result = sampleTestResult(0, 'WINNER');
  const lost = { precision: 0, recall: 0, f1: 0 };
  const more = [
    { className: 'lynx', ...lost, support: 1 },
    { className: 'absent', ...lost, support: 0 },
  ];
  return { ...result, classResults: [...result.classResults, ...more] };
}

test('the leaderboard names the classes that the first run never finds', () => {
  const entry = { rank: 1, run: sampleRun(0), testResult: withLostClass() };
  const text = describeLeaderboard({ entries: [entry], testLookCount: 1, winnerStatement: null, winner: null }, null);
  expect(text).toContain('Run 0 never finds 1 class of 4 in the test split: lynx (1 image).');
  const sound = { ...entry, testResult: sampleTestResult(0, 'WINNER') };
  expect(
    describeLeaderboard({ entries: [sound], testLookCount: 1, winnerStatement: null, winner: null }, null),
  ).not.toContain('never finds');
});

test('a test result is described with its averages over the classes; those of an older coordinator are missing', () => {
  expect(describeTest(withLostClass())).toEqual([
    expect.stringMatching(/^On the test split \(as WINNER\): accuracy 0\.95/),
    'Over the classes: macro F1 0.9500, balanced accuracy 0.9500, AUC 0.9910.',
    'It never finds 1 class of 4 in the test split: lynx (1 image).',
  ]);
  const older = { ...sampleTestResult(0, 'WINNER'), macroF1: null, balancedAccuracy: null, rocAuc: null };
  expect(describeTest(older)).toHaveLength(1);
});

test('leaderboard, facts and end of a sweep say whether the best run is better than the baseline, where that is known', () => {
  const sentence = 'Run 3 is not distinguishable from the baseline on the validation images: …';
  const entries = [{ rank: 1, run: sampleRun(0), testResult: null }];
  for (const winnerStatement of [{ distinguishable: false, pValue: 0.4, sentence }, null]) {
    const stated = { winnerStatement, winner: null };
    const board = describeLeaderboard({ entries, testLookCount: 1, ...stated }, null);
    const texts = [board, describeSweep(sampleSweep(), [], stated), describeEnd(sampleSweep(), [], stated)];
    for (const text of texts) expect(text.includes(sentence)).toBe(winnerStatement !== null);
  }
});
