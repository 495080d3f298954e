import { describe, expect, test } from 'vitest';
import { sampleRuns, variedNames } from '../../../services/core/samplers/sample-runs.ts';
import { trainingNotes } from '../../../services/core/samplers/training-notes.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { PLAIN_SPEC, values } from './support/specs.ts';

function notesOf(change: Partial<SweepSpec>): string[] {
  const spec = { ...PLAIN_SPEC, ...change };
  const { runs } = sampleRuns(spec);
  return trainingNotes(spec, runs, variedNames(runs));
}

describe('notes on training', () => {
  test.each([
    ['the loss', [values('loss.name', 'cross_entropy', 'focal')], 'loss.name'],
    [
      'smoothing and L2',
      [values('head.l2', 0, 0.01), values('label_smoothing', 0, 0.1)],
      'label_smoothing and head.l2',
    ],
  ])('name %s where val_loss ranks runs that differ in it', (_, parameters, names) => {
    expect(notesOf({ parameters })).toEqual([
      expect.stringContaining(`Runs with different ${names} are ranked by val_loss`),
    ]);
    expect(notesOf({ parameters, objective: { metric: 'val_accuracy', goal: 'maximize' } })).toEqual([]);
  });

  test('are absent where all runs have the same loss', () => {
    const base = { 'loss.name': 'focal', 'head.l2': 0.1 };
    expect(notesOf({ base, parameters: [values('head.units', 16, 32)] })).toEqual([]);
  });

  test('count the runs whose base has random weights that are not all trained', () => {
    const parameters = [values('weights', 'imagenet', 'random')];
    expect(notesOf({ parameters })).toEqual([
      '1 of 2 runs trains with a frozen base of random weights, which stay random. Set base.weights: imagenet for a pretrained base.',
    ]);
    const base = { 'fine_tune.enabled': true };
    expect(notesOf({ base })).toEqual([]);
    const random = { ...base, weights: 'random' };
    expect(notesOf({ base: random })[0]).toMatch(
      /^All runs train with a base of random weights, which stay random below/,
    );
    expect(notesOf({ base, parameters })[0]).toMatch(/^1 of 2 runs trains with a base of random weights/);
    expect(notesOf({ base: { ...random, 'fine_tune.unfreeze': 'all' } })).toEqual([]);
  });
});
