import { describe, expect, test } from 'vitest';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';
import { samplingNotes } from '../../../services/core/samplers/sampling-notes.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { clusterOf } from './support/plan-inputs.ts';
import { PLAIN_SPEC, range, values, when } from './support/specs.ts';

function specOf(change: Partial<SweepSpec>): SweepSpec {
  return { ...PLAIN_SPEC, ...change };
}

function valuesOf(spec: SweepSpec, name: string): unknown[] {
  return sampleRuns(spec).runs.map(({ parameters }) => parameters[name]);
}

function notesOf(spec: SweepSpec): string[] {
  return samplingNotes(spec, sampleRuns(spec));
}

describe.each(['random', 'sobol'] as const)('a finite space, %s', (strategy) => {
  test.each([
    ['200 integers', 200, range('head.units', 1, 200)],
    ['1,000 integers', 1_000, range('head.units', 1, 1_000)],
    ['1,000 integers on a logarithmic scale', 1_000, range('head.units', 1, 1_000, { scale: 'log' })],
    ['101 steps of 0.003', 101, range('head.dropout', 0.1, 0.4, { step: 0.003 })],
    ['11 real numbers of six digits', 11, range('head.dropout', 0.1, 0.10001)],
  ])('is exhausted: %s', (_, count, parameter) => {
    const spec = specOf({ strategy, maxRuns: count, parameters: [parameter] });
    const found = valuesOf(spec, parameter.name).map(Number);
    expect(new Set(found).size).toBe(count);
    expect(Math.min(...found)).toBe(parameter.domain.kind === 'range' ? parameter.domain.min : NaN);
    expect(Math.max(...found)).toBe(parameter.domain.kind === 'range' ? parameter.domain.max : NaN);
    expect(sampleRuns(spec).missingCount).toBe(0);
    expect(valuesOf({ ...spec, maxRuns: count - 1 }, parameter.name)).toEqual(found.slice(0, count - 1));
  });

  test('is exhausted where parameters are mixed and exist in some runs only', () => {
    const parameters = [
      values('method', 'cached', 'augmented'),
      range('augmentation.zoom', 0.1, 0.5, { step: 0.1 }),
      range('epochs', 1, 20),
      when(values('head.dropout', 0.1, 0.2, 0.3), 'epochs', 7, 8),
    ];
    // 18 + 2 × 3 of epochs and dropout, beside "cached" or one of five zooms.
    const spec = specOf({ strategy, maxRuns: 1_000, parameters });
    const { runs, missingCount } = sampleRuns(spec);
    expect(runs).toHaveLength(24 * 6);
    expect(missingCount).toBe(1_000 - 144);
    expect(notesOf(spec)[0]).toBe(
      '856 of 1000 runs are missing: the search space has 144 different runs, and all of them are planned. Widen a ' +
        'parameter, or set max_runs: 144.',
    );
  });

  test('is not short where few draws reach the part that has many runs', () => {
    const parameters = [range('batch_size', 1, 400), when(range('head.dropout', 0, 0.5), 'batch_size', 7)];
    expect(sampleRuns(specOf({ strategy, maxRuns: 600, parameters })).runs).toHaveLength(600);
  });

  test('keeps the draws that it had as its first runs', () => {
    const spec = specOf({ strategy, maxRuns: 200, parameters: [range('head.units', 1, 200)] });
    expect(valuesOf(spec, 'head.units').slice(0, 8)).toEqual(FIRST_DRAWS[strategy]);
  });

  test('takes listed variants for runs, and says what is missing with them', () => {
    const spec = specOf({ strategy, maxRuns: 9, variants: [{ epochs: 77 }], parameters: [range('epochs', 1, 5)] });
    expect(valuesOf(spec, 'epochs').sort()).toEqual([1, 2, 3, 4, 5, 77]);
    expect(notesOf(spec)).toEqual([
      '3 of 9 runs are missing: the listed variants and the search space have 6 different runs, and all of them are planned. ' +
        'Widen a parameter, or set max_runs: 6.',
    ]);
  });

  test('begins with the defaults where it contains them', () => {
    const parameters = [range('optimizer.learning_rate', 1e-5, 1e-2, { scale: 'log' }), values('batch_size', 16, 32)];
    const spec = specOf({ strategy, maxRuns: 4, base: { 'optimizer.learning_rate': 0.002 }, parameters });
    const { runs } = sampleRuns(spec);
    expect(runs[0]?.parameters).toMatchObject({ 'optimizer.learning_rate': 0.002, batch_size: 32 });
    expect(notesOf(spec)).toEqual(['Run 0 has the defaults, as the baseline; all others are drawn.']);
    const listed = sampleRuns({ ...spec, maxRuns: 5, variants: [{}] });
    expect(listed.runs.slice(0, 4)).toEqual(runs);
  });

  test('has no baseline where the defaults lie outside, and says how to have one', () => {
    const spec = specOf({ strategy, maxRuns: 4, parameters: [range('head.units', 1, 200)] });
    expect(notesOf(spec)).toEqual([
      'There is no baseline: the defaults lie outside the search space (head.units 256). List them with `variants: [{}]` to ' +
        'train and test them as run 0.',
    ]);
    const preview = previewSweep(spec, clusterOf(1), null);
    expect(preview.notes).toEqual(notesOf(spec));
    expect(preview.tasks.at(-1)?.description).toBe('test images for the winner by validation; there is no baseline');
  });
});

/** Runs that seed 42 drew before spaces were exhausted. */
const FIRST_DRAWS = {
  random: [130, 17, 1, 183, 156, 68, 199, 133],
  sobol: [123, 58, 24, 182, 151, 29, 94, 137],
};

test('10,000 runs of exactly 10,000 are sampled within seconds', () => {
  const spec = specOf({ strategy: 'random', maxRuns: 10_000, parameters: [range('head.units', 1, 10_000)] });
  const start = performance.now();
  expect(new Set(valuesOf(spec, 'head.units')).size).toBe(10_000);
  expect(performance.now() - start).toBeLessThan(10_000);
});

describe('a range means what it says', () => {
  test.each(['grid', 'random', 'sobol'] as const)('%s refuses a step on a logarithmic scale', (strategy) => {
    const parameters = [range('head.units', 16, 512, { step: 16, scale: 'log' })];
    const maxRuns = strategy === 'grid' ? null : 8;
    expect(validateSweepSpec(specOf({ strategy, maxRuns, parameters }))).toEqual([
      {
        field: 'parameters[0].range.step',
        description:
          'contradicts scale: log: a step puts the same distance between values, a logarithmic scale the same ratio; received ' +
          'step 16. Take step out (a grid then needs grid_points), or use scale: linear.',
      },
    ]);
  });

  test('the plan says where steps do not reach max, and where grid points fall together', () => {
    const parameters = [range('head.units', 10, 100, { step: 7 }), range('head.layers', 1, 3, { gridPoints: 10 })];
    expect(valuesOf(specOf({ parameters }), 'head.layers').slice(0, 4)).toEqual([1, 2, 3, 1]);
    expect(notesOf(specOf({ parameters }))).toEqual([
      'head.units: steps of 7 from 10 end at 94; max 100 is not among the values.',
      'head.layers: grid_points: 10 between 1 and 3 gives 3 different values.',
    ]);
  });

  test('the plan says which runs of a grid or list max_runs cuts off', () => {
    const parameters = [range('head.units', 1, 30, { step: 1 }), values('batch_size', 16, 32)];
    const cut = specOf({ parameters, maxRuns: 7 });
    expect(valuesOf(cut, 'head.units')).toEqual([1, 1, 2, 2, 3, 3, 4]);
    expect(notesOf(cut)).toEqual([
      'max_runs: 7 keeps the first 7 runs of a grid of 60 combinations (head.units 30 × batch_size 2), in which the last ' +
        'parameter changes fastest; 53 are left out.',
    ]);
    const listed = specOf({ strategy: 'list', variants: [{ epochs: 1 }, { epochs: 2 }, { epochs: 3 }], maxRuns: 2 });
    expect(notesOf(listed)).toEqual(['max_runs: 2 keeps the first 2 runs of 3 listed variants; 1 is left out.']);
    expect(notesOf(specOf({ parameters, maxRuns: 60 }))).toEqual([]);
  });

  test('steps of large integers keep all their digits, and a grid of more than memory is cut without being written out', () => {
    const min = 2 ** 52;
    const spec = specOf({ parameters: [range('seed', min, 2 ** 53 - 1, { step: 1 })], maxRuns: 3 });
    expect(valuesOf(spec, 'seed')).toEqual([min, min + 1, min + 2]);
    expect(notesOf(spec)[0]).toContain('a grid of more than 100000 combinations');
  });

  test('the ends of a grid are the bounds with all their digits', () => {
    const parameters = [range('head.dropout', 0.12345678, 0.23456789, { gridPoints: 3 })];
    expect(valuesOf(specOf({ parameters }), 'head.dropout')).toEqual([0.12345678, 0.179012, 0.23456789]);
  });
});
