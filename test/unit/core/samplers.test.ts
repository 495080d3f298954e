import { describe, expect, test } from 'vitest';
import { firstRunIsBaseline } from '../../../services/core/samplers/baseline.ts';
import { sampleRuns, variedNames, withVaried } from '../../../services/core/samplers/sample-runs.ts';
import { MAX_SOBOL_DIMENSIONS, SobolSequence } from '../../../services/core/samplers/sobol-sequence.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { pick, PLAIN_SPEC, range, values, when } from './support/specs.ts';

function sample(spec: Partial<SweepSpec>): ReturnType<typeof sampleRuns> {
  return sampleRuns({ ...PLAIN_SPEC, ...spec });
}

describe('grid', () => {
  test('returns every combination, the last dimension changing fastest', () => {
    const { runs } = sample({
      parameters: [
        values('head.units', 64, 128),
        range('optimizer.learning_rate', 1e-4, 1e-2, { scale: 'log', gridPoints: 3 }),
      ],
    });
    expect(pick(runs, 'head.units', 'optimizer.learning_rate').map(Object.values)).toEqual([
      [64, 1e-4],
      [64, 1e-3],
      [64, 1e-2],
      [128, 1e-4],
      [128, 1e-3],
      [128, 1e-2],
    ]);
    expect(runs.map((run) => run.index)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('varies a dimension only where its parent exists, also when listed before it', () => {
    const { runs, duplicateCount } = sample({
      parameters: [values('augmentation.rotation', 0.1, 0.2), values('method', 'cached', 'augmented')],
    });
    expect(pick(runs, 'method', 'augmentation.rotation')).toEqual([
      { method: 'cached' },
      { method: 'augmented', 'augmentation.rotation': 0.1 },
      { method: 'augmented', 'augmentation.rotation': 0.2 },
    ]);
    expect(duplicateCount).toBe(0);
  });

  test("keeps the base's value where a spec's own condition does not hold", () => {
    const { runs } = sample({
      base: { 'head.dropout': 0.3 },
      parameters: [values('head.units', 0, 64), when(values('head.dropout', 0.1, 0.6), 'head.units', 64)],
    });
    expect(pick(runs, 'head.units', 'head.dropout').map(Object.values)).toEqual(
      [
        [0.3, 0],
        [0.1, 64],
        [0.6, 64],
      ].map(([dropout, units]) => [units, dropout]),
    );
  });

  test('includes the values of steps and integers', () => {
    const steps = sample({ parameters: [range('head.dropout', 0, 0.5, { step: 0.1 })] });
    expect(pick(steps.runs, 'head.dropout').map((p) => p['head.dropout'])).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    const units = sample({ parameters: [range('head.units', 10, 100, { scale: 'log', gridPoints: 3 })] });
    expect(pick(units.runs, 'head.units').map((p) => p['head.units'])).toEqual([10, 32, 100]);
  });
});

describe('variants', () => {
  test('come first; later repetitions are dropped and counted', () => {
    const { runs, duplicateCount } = sample({
      variants: [{ 'head.units': 128 }, {}, { 'head.units': 256 }],
      parameters: [values('head.units', 64, 128)],
    });
    expect(pick(runs, 'head.units').map((p) => p['head.units'])).toEqual([128, 256, 64]);
    // {} is the default of 256 units, and so is the third variant; 128 comes again in the grid.
    expect(duplicateCount).toBe(2);
  });

  test('are the only runs of a list', () => {
    const { runs } = sample({ strategy: 'list', variants: [{ epochs: 1 }, { epochs: 2 }, { epochs: 3 }], maxRuns: 2 });
    expect(pick(runs, 'epochs').map((p) => p['epochs'])).toEqual([1, 2]);
  });

  test('with a parameter without effect are the same run', () => {
    const { runs, duplicateCount } = sample({
      strategy: 'list',
      variants: [{ 'head.units': 0 }, { 'head.units': 0, 'head.activation': 'relu' }],
    });
    expect([runs.length, duplicateCount]).toEqual([1, 1]);
  });
});

describe('seeds', () => {
  test("default to the sweep's, so that runs see the same batches", () => {
    const { runs } = sample({ base: { method: 'augmented', seed: 9 } });
    expect(runs[0]?.parameters).toMatchObject({ seed: 9, data_seed: 42, 'augmentation.seed': 42 });
  });
});

describe.each(['random', 'sobol'] as const)('%s', (strategy) => {
  const parameters = [
    range('optimizer.learning_rate', 1e-5, 1e-2, { scale: 'log' }),
    range('head.units', 16, 19),
    values('method', 'cached', 'augmented'),
    range('augmentation.rotation', 0, 0.5, { step: 0.25 }),
  ];

  test('returns the requested number of different runs within the domains, the same for the same seed', () => {
    const { runs } = sample({ strategy, parameters, maxRuns: 64 });
    expect(runs).toHaveLength(64);
    for (const { parameters: p } of runs) {
      expect(p['optimizer.learning_rate']).toBeGreaterThanOrEqual(1e-5);
      expect(p['optimizer.learning_rate']).toBeLessThanOrEqual(1e-2);
      expect([16, 17, 18, 19]).toContain(p['head.units']);
      expect(p['method'] === 'augmented').toBe('augmentation.rotation' in p);
      if ('augmentation.rotation' in p) expect([0, 0.25, 0.5]).toContain(p['augmentation.rotation']);
    }
    expect(new Set(runs.map((run) => run.parameters['head.units'])).size).toBe(4);
    const below = runs.filter((run) => Number(run.parameters['optimizer.learning_rate']) < 10 ** -3.5).length;
    expect(below).toBeGreaterThan(20);
    expect(below).toBeLessThan(44);
    expect(sample({ strategy, parameters, maxRuns: 64 }).runs).toEqual(runs);
    expect(sample({ strategy, parameters, maxRuns: 64, seed: 43 }).runs).not.toEqual(runs);
  });

  test('stops when the space is exhausted', () => {
    const { runs, duplicateCount } = sample({ strategy, parameters: [values('epochs', 1, 2, 3)], maxRuns: 10 });
    expect(
      pick(runs, 'epochs')
        .map((p) => p['epochs'])
        .sort(),
    ).toEqual([1, 2, 3]);
    expect(duplicateCount).toBeGreaterThanOrEqual(64);
  });

  test('keeps the first runs when more are requested', () => {
    const few = sample({ strategy, parameters, maxRuns: 5 }).runs;
    expect(sample({ strategy, parameters, maxRuns: 20 }).runs.slice(0, 5)).toEqual(few);
  });
});

test('keeps the values of a random search when a dimension is added', () => {
  const rate = range('optimizer.learning_rate', 1e-5, 1e-2, { scale: 'log' });
  const alone = sample({ strategy: 'random', parameters: [rate], maxRuns: 5 });
  const beside = sample({ strategy: 'random', parameters: [values('batch_size', 16, 32), rate], maxRuns: 5 });
  const rates = (s: typeof alone): unknown[] => pick(s.runs, 'optimizer.learning_rate');
  expect(rates(beside)).toEqual(rates(alone));
});

describe('SobolSequence', () => {
  test('returns the points of scipy.stats.qmc.Sobol without scrambling', () => {
    const sequence = new SobolSequence(64, null);
    const points = Array.from({ length: 16 }, () => sequence.next());
    const chosen = [1, 2, 5, 11, 15].map((row) =>
      [0, 1, 2, 7, 31, 63].map((column) => (points[row]?.[column] ?? 0) * 2 ** 32),
    );
    expect(chosen).toEqual([
      [2147483648, 2147483648, 2147483648, 2147483648, 2147483648, 2147483648],
      [3221225472, 1073741824, 1073741824, 3221225472, 1073741824, 3221225472],
      [3758096384, 3758096384, 536870912, 1610612736, 2684354560, 2684354560],
      [1879048192, 2415919104, 805306368, 2952790016, 268435456, 4026531840],
      [268435456, 4026531840, 2415919104, 1342177280, 805306368, 3489660928],
    ]);
  });

  test('returns scrambled points that depend on the seed and avoid the corners', () => {
    const first = new SobolSequence(4, 1).next();
    expect(first).not.toEqual(new SobolSequence(4, 2).next());
    expect(new Set(first).size).toBe(4);
    expect(first.every((u) => u > 0 && u < 1)).toBe(true);
  });

  test('refuses too many dimensions', () => {
    expect(() => new SobolSequence(MAX_SOBOL_DIMENSIONS + 1, 1)).toThrow('received 65');
  });
});

test('omits from variedNames a parameter that only some runs have, all with one value', () => {
  const { runs } = sample({
    parameters: [values('method', 'cached', 'augmented'), values('head.units', 0, 64)],
  });
  expect(variedNames(runs)).toEqual(['head.units', 'method']);
});

test('names and shows a varied later parameter, which runs omit at its default', () => {
  const base = { method: 'augmented', 'augmentation.hue': 0.2 };
  const spec: SweepSpec = { ...PLAIN_SPEC, base, parameters: [values('augmentation.hue', 0, 0.2)] };
  const { runs } = sampleRuns(spec);
  const varied = variedNames(runs);
  expect(varied).toEqual(['augmentation.hue']);
  expect(runs[0]?.parameters).not.toHaveProperty(['augmentation.hue']);
  expect(runs.map(({ parameters }) => withVaried(parameters, varied)['augmentation.hue'])).toEqual([0, 0.2]);
  const searched: SweepSpec = { ...spec, strategy: 'random', maxRuns: 2 };
  expect(runs.map(({ parameters }) => firstRunIsBaseline(searched, parameters))).toEqual([false, true]);
});
