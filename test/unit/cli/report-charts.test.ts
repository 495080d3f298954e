import { describe, expect, it } from 'vitest';
import { countTicks, linear, placeOf, positionOn, robustAxis, tickFormat } from '../../../services/cli/report/axis.ts';
import { renderCurveChart } from '../../../services/cli/report/curve-chart.ts';
import { bandsOf } from '../../../services/cli/report/curves.ts';
import type { CurvePoint, RunCurves } from '../../../services/cli/report/curves.ts';
import { effectsOf } from '../../../services/cli/report/effects.ts';
import { failureGroups } from '../../../services/cli/report/failures-section.ts';
import { bestSoFar } from '../../../services/cli/report/progress-chart.ts';
import { shortLabels, valueLabels } from '../../../services/cli/report/labels.ts';
import { renderSvg } from '../../../services/cli/report/svg.ts';
import type { RunRecord } from '../../../services/core/records/run.ts';
import type { Parameters } from '../../../services/core/sweep/sweep-spec.ts';
import { formatMetric, formatValue } from '../../../services/cli/terminal/format.ts';
import { sampleRun, sampleSweep } from './sample-sweep.ts';

const ranks = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

function curve(values: readonly number[]): CurvePoint[] {
  return values.map((value, index) => ({ epoch: index + 1, stage: 'HEAD', value }));
}

function curvesOf(runs: readonly number[], valuesOf: (run: number) => readonly number[]): RunCurves {
  return new Map(runs.map((run) => [run, curve(valuesOf(run))]));
}

/** A falling loss, from 0.7 to 0.1. */
const GOOD = [0.7, 0.4, 0.25, 0.18, 0.14, 0.12, 0.1];

describe('a robust axis', () => {
  it('shows every good value although a third of the runs diverged', () => {
    const diverged = [3, 40, 5e3, 1e8, 1e30, Number.NaN, Number.POSITIVE_INFINITY];
    const axis = robustAxis([...GOOD, ...GOOD.map((value) => value * 1.1), ...diverged], 'loss');
    for (const value of GOOD) expect(placeOf(axis, value)).toBe('inside');
    expect(placeOf(axis, 1e30)).toBe('above');
    expect(placeOf(axis, Number.NaN)).toBe('none');
    // Good and better runs are a fifth of the height apart at least.
    expect(positionOn(axis, 0.4) - positionOn(axis, 0.1)).toBeGreaterThan(0.2);
  });

  it('is the plain range if nothing is far out', () => {
    expect(robustAxis(GOOD, 'loss')).toMatchObject({ scale: 'linear', low: 0, high: 0.8 });
    expect(robustAxis([0.62, 0.8, 0.9, 0.95], 'score')).toMatchObject({ scale: 'linear', low: 0.6, high: 1 });
  });

  it('is logarithmic for losses over more than a decade, with ends and ticks at 1, 2 or 5 times a power of ten', () => {
    const axis = robustAxis([1.4, 0.5, 0.2, 0.08, 0.05, 0.04, 0.035], 'loss');
    expect(axis.scale).toBe('log');
    expect(axis.ticks).toEqual([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]);
  });

  it('leaves out a collapsed accuracy, but not the first epochs of the others', () => {
    const good = [0.7, 0.85, 0.9, 0.92, 0.93, 0.94];
    const axis = robustAxis([...good, ...good, ...good, 0.025, 0.025, 0.025], 'score');
    expect(placeOf(axis, 0.7)).toBe('inside');
    expect(placeOf(axis, 0.025)).toBe('below');
  });

  it.each([
    ['no value', []],
    ['one value', [0.3]],
    ['equal values', [0.5, 0.5, 0.5]],
    ['zeros', [0, 0, 0]],
    ['only NaN', [Number.NaN]],
    ['negative ones', [-1, -0.5]],
    ['tiny ones', [1e-9, 2e-9, 3e-9]],
    ['numbers that differ in their last bits', [0.5, 0.500_000_000_000_000_1]],
    ['negative ones that differ in their last bits', [-0.500_000_000_000_000_1, -0.5]],
    ['large integers', [2 ** 40, 2 ** 40 + 9]],
  ])('has a range for %s', (_, values) => {
    for (const kind of ['loss', 'score'] as const) {
      const { low, high, ticks } = robustAxis(values, kind);
      expect(high).toBeGreaterThan(low);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.every(Number.isFinite)).toBe(true);
      expect(new Set(ticks).size).toBe(ticks.length);
      for (const value of values.filter(Number.isFinite)) {
        expect(positionOn({ scale: 'linear', low, high, ticks }, value)).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('includes integers of any size, each tick once and with its own label', () => {
    for (const start of [2 ** 40, 2 ** 52]) {
      const axis = linear(start, start + 9);
      expect([axis.low, axis.high]).toEqual([start, start + 10]);
      expect(axis.ticks.map((tick) => tick - start)).toEqual([0, 2, 4, 6, 8, 10]);
      expect(axis.ticks.map(tickFormat(axis))).toEqual(axis.ticks.map(String));
    }
  });

  it('has ticks that tell near values apart', () => {
    const axis = linear(0.693_14, 0.693_16);
    const labels = axis.ticks.map(tickFormat(axis));
    expect(labels[0]).toBe('0.69314');
    expect(new Set(labels).size).toBe(labels.length);
  });

  it('begins at zero and shows the first epochs of runs whose losses become exactly zero', () => {
    const axis = robustAxis([0, 0, 0, 0.5, 0.7], 'loss');
    expect(axis).toMatchObject({ scale: 'linear', low: 0, high: 0.8 });
    const diverged = robustAxis([0, 0, 0, 0, 0, 0, 0, 0.4, 0.5, 0.6, 0.7, 1e8], 'loss');
    expect(diverged).toMatchObject({ scale: 'linear', low: 0, high: 0.8 });
    expect(placeOf(diverged, 1e8)).toBe('above');
  });

  it('has ticks for counts', () => {
    expect(countTicks(6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(countTicks(14)).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(countTicks(50)).toEqual([1, 10, 20, 30, 40, 50]);
  });
});

describe('a label', () => {
  it('of a long name lacks its middle, and is numbered where another would be equal', () => {
    const path = (epoch: number): string => `/mnt/models/efficientnet/epoch-${epoch}/weights.h5`;
    expect(shortLabels(['imagenet', path(100), path(200), 'German shorthaired pointer'])).toEqual([
      'imagenet',
      '/mnt/mo…hts.h5 1',
      '/mnt/mo…hts.h5 2',
      'German s…pointer',
    ]);
  });

  it('never has half a character, and shows controls', () => {
    // Each of the characters takes two places and up to eleven units of UTF-16.
    for (const character of ['🐈', '👩‍👩‍👧‍👦', '猫']) {
      expect(shortLabels([character.repeat(20)])).toEqual([`${character.repeat(4)}…${character.repeat(3)}`]);
    }
    expect(shortLabels(['a\u202eb'])).toEqual(['a\\u202eb']);
  });

  it('of a value differs from those of near and of equally written values', () => {
    expect(valueLabels([1.234_01e-4, 1.234_04e-4])).toEqual(['1.23401e-4', '1.23404e-4']);
    expect(valueLabels([0.1 + 0.2, 0.3])).toEqual(['0.30000000000000004', '0.3']);
    expect(valueLabels([1 / 3, 0.5])).toEqual(['0.3333', '0.5']);
    expect(valueLabels([1, '1', true, 'true', 'last_block'])).toEqual(['1', '"1"', 'true', '"true"', 'last_block']);
  });

  it('shows controls wherever a chart has it', () => {
    const evil = 'a\u001b[2J\u202eb <c>';
    const plot = { marks: [], x: { domain: [0, 1], tickFormat: () => evil, label: evil } };
    const { text } = renderSvg({ title: evil, description: evil, plot });
    expect(text).not.toMatch(/[\u001b\u202e]/);
    // Name, description, label and at least two ticks.
    expect(text.split(String.raw`a\x1b[2J\u202eb`).length - 1).toBeGreaterThan(4);
    expect(text.replaceAll(/="[^"]*"/g, '')).not.toContain('<c>');
  });
});

describe('a chart of learning curves', () => {
  const highlighted = [{ runIndex: 0, bestEpoch: 7, fineTuneStart: 5, rungs: [4, 6] }];
  const chart = renderCurveChart({
    title: 'Validation loss',
    runs: curvesOf([0, 1, 2], (run) => (run < 2 ? GOOD : [0.9, 1e5, 1e8, Number.NaN])),
    highlighted,
    kind: 'loss',
  });
  const svg = chart.svg.text;

  it('says which runs are outside, how far and since when, and which are no numbers', () => {
    expect(chart.outside).toBe(
      '▲ Above the axis: run 2 (up to 1e8, from epoch 2). × Not a finite number: run 2 (NaN from epoch 4).',
    );
  });

  it('marks the best epoch and the start of fine-tuning', () => {
    expect(svg.match(/<circle[^>]*r="4.5"/g)).toHaveLength(1);
    expect(svg).toContain('>fine-tuning<');
  });

  it('draws all lines with one width and tells them apart by dashes', () => {
    const { svg: many } = renderCurveChart({
      title: 'Loss',
      runs: curvesOf(ranks(6), () => GOOD),
      highlighted: [1, 2, 3].map((runIndex) => ({ runIndex, bestEpoch: null, fineTuneStart: null, rungs: [] })),
      kind: 'loss',
    });
    const lines = many.text.match(/<g [^>]*stroke-linejoin="round"[^>]*>/g) ?? [];
    expect(new Set(lines.map((line) => /stroke-width="([^"]*)"/.exec(line)?.[1]))).toEqual(new Set(['1.8']));
    expect(lines.map((line) => /stroke-dasharray="([^"]*)"/.exec(line)?.[1])).toEqual([
      undefined,
      undefined,
      '7 4',
      '2 3',
    ]);
  });

  it('has no number that is none, and no length with more than a decimal', () => {
    expect(svg).not.toContain('NaN');
    expect(svg).not.toMatch(/ (d|x1?|y1?|cx|cy)="[^"]*\.\d\d/);
  });

  it('draws the distribution of many runs', () => {
    const runs = curvesOf(ranks(100), (run) => [run, run / 2]);
    expect(bandsOf([...runs.values()].flat())).toEqual([
      { epoch: 1, quantiles: [5.95, 25.75, 50.5, 75.25, 95.05] },
      { epoch: 2, quantiles: [2.975, 12.875, 25.25, 37.625, 47.525] },
    ]);
    const { svg: many } = renderCurveChart({ title: 'Loss', runs, highlighted: [], kind: 'loss' });
    expect(many.text.match(/aria-label="area"/g)).toHaveLength(2);
    expect(many.text.length).toBeLessThan(8_000);
  });

  it('marks each epoch once in which runs of a distribution leave the axis, however many they are', () => {
    const diverged = [0.9, 1e9, 1e9, Number.NaN];
    const runs = curvesOf(ranks(100), (run) => (run % 10 === 0 ? diverged : GOOD));
    const { svg: many, outside } = renderCurveChart({ title: 'Loss', runs, highlighted: [], kind: 'loss' });
    expect(outside).toContain('▲ Above the axis: 10 runs');
    expect(many.text.match(/aria-label="dot"/g)).toHaveLength(2);
  });
});

describe('the effect of a parameter', () => {
  const run = (
    runIndex: number,
    parameters: Parameters,
    bestValue: number | null,
    change: Partial<RunRecord> = {},
  ): RunRecord =>
    sampleRun(runIndex, { runId: `r${runIndex}`, parameters, variedNames: ['a', 'b'], bestValue, ...change });
  const { spec } = sampleSweep();

  it('has the median, its interval, the mean and the number of runs by value, as computed by hand', () => {
    const values = [0.3, 0.1, 0.5, 0.2, 0.4, 0.6];
    const runs = [
      ...values.map((value, index) => run(index, { a: 64 }, value)),
      run(6, { a: 256 }, 0.05),
      run(7, { a: 256 }, 0.15),
      // None of these counts.
      run(8, { a: 256 }, 0.01, { state: 'FAILED' }),
      run(9, { a: 256 }, Number.NaN),
      run(10, { a: 256 }, null),
    ];
    const [effect] = effectsOf(spec, runs);
    expect(effect?.levels.map(({ label, runCount, runs: counted }) => [label, runCount, counted.length])).toEqual([
      ['64', 6, 6],
      ['256', 5, 2],
    ]);
    expect(effect?.levels[0]?.centre).toEqual({ median: 0.35, interval: { low: 0.1, high: 0.6 }, coverage: 0.968_75 });
    expect(effect?.levels[1]?.centre).toEqual({ median: 0.1, interval: { low: 0.05, high: 0.15 }, coverage: 0.5 });
    expect(effect?.levels[1]?.mean).toBeCloseTo(0.1, 12);
    // H of the ranks {4, 2, 7, 5, 6, 8} and {1, 3} is 4.5 − … = 2.7778; (H − 1) / 6.
    expect(effect?.explained).toBeCloseTo((25 / 9 - 1) / 6, 12);
  });

  it('is not moved by a diverged run', () => {
    const runs = [0.1, 0.2, 0.3, 0.4, 0.5].map((value, index) => run(index, { a: 1 }, value));
    const diverged = [...runs.slice(0, 4), run(4, { a: 1 }, 1e30), run(5, { a: 2 }, 0.3)];
    expect(effectsOf(spec, [...runs, run(5, { a: 2 }, 0.3)])[0]?.levels[0]?.centre?.median).toBe(0.3);
    expect(effectsOf(spec, diverged)[0]?.levels[0]?.centre?.median).toBe(0.3);
  });

  it('is by bins of about equal numbers of runs for a continuous parameter, which do not divide equal values', () => {
    const runs = [...ranks(12), 12, 12, 12, 13, 14, 15, 16, 17].map((value, index) => run(index, { a: value }, 0.5));
    const [effect] = effectsOf(spec, runs);
    expect(effect?.levels.map(({ label, runCount }) => [label, runCount])).toEqual([
      ['1 to 7', 7],
      ['8 to 12', 8],
      ['13 to 17', 5],
    ]);
  });

  it('has a level, and a place, for each of nearly equal values', () => {
    const rates = [1.234_01e-4, 1.234_04e-4, '1.23404e-4'];
    const runs = rates.map((rate, index) => run(index, { a: rate }, 0.5));
    expect(effectsOf(spec, runs)[0]?.levels.map(({ label, value }) => [label, value])).toEqual([
      ['1.23401e-4', 1.234_01e-4],
      ['1.23404e-4', 1.234_04e-4],
      ['"1.23404e-4"', '1.23404e-4'],
    ]);
  });

  it('is by bins whose ends have different labels', () => {
    const runs = ranks(12).map((step, index) => run(index, { a: 0.5 + step / 1e7 }, 0.5));
    const labels = effectsOf(spec, runs)[0]?.levels.map(({ label }) => label);
    expect(labels).toEqual(['0.5000001 to 0.5000006', '0.5000007 to 0.5000012']);
  });

  it('has the axis that the search space declares, or a logarithmic one for a wide range', () => {
    const runs = ranks(10).map((value, index) => run(index, { a: 10 ** -value, b: value }, 0.5));
    const axes = new Map(effectsOf(spec, runs).map(({ name, axis }) => [name, axis?.scale]));
    expect(axes).toEqual(
      new Map([
        ['a', 'log'],
        ['b', 'linear'],
      ]),
    );
    const range = { kind: 'range', min: 0.1, max: 10, scale: 'log', gridPoints: null, step: null } as const;
    const declared = { ...spec, parameters: [{ name: 'b', domain: range, conditions: [] }] };
    expect(effectsOf(declared, runs).find(({ name }) => name === 'b')?.axis?.scale).toBe('log');
  });

  it('lists the runs that a conditional parameter does not exist in as “not set”', () => {
    const runs = [run(0, { a: true, b: 0.1 }, 0.1), run(1, { a: false }, 0.2), run(2, { a: false }, 0.3)];
    const effect = effectsOf(spec, runs).find(({ name }) => name === 'b');
    expect(effect?.levels.map(({ label, runCount }) => [label, runCount])).toEqual([
      ['0.1', 1],
      ['not set', 2],
    ]);
  });

  it('comes first if it explains most', () => {
    const runs = ranks(12).map((value, index) => run(index, { a: value % 2, b: value > 6 }, value / 10));
    expect(effectsOf(spec, runs).map(({ name }) => name)).toEqual(['b', 'a']);
  });
});

it('follows the best value so far in the order in which runs ended, without failed ones', () => {
  const at = (second: number): Date => new Date(second * 1_000);
  const runs = [
    sampleRun(0, { bestValue: 0.4, endTime: at(30) }),
    sampleRun(1, { bestValue: 0.5, endTime: at(10) }),
    sampleRun(2, { bestValue: 0.1, endTime: at(20), state: 'FAILED' }),
    sampleRun(3, { bestValue: 0.45, endTime: at(40) }),
    sampleRun(4, { bestValue: 0.01, endTime: null, state: 'RUNNING' }),
  ];
  expect(bestSoFar(sampleSweep(), runs).map(({ run, best }) => [run.runIndex, best])).toEqual([
    [1, 0.5],
    [0, 0.4],
    [3, 0.4],
  ]);
});

it('groups runs without success by reasons that differ only in numbers, with what only they have', () => {
  const failed = (runIndex: number, stateReason: string, rate: number): RunRecord =>
    sampleRun(runIndex, {
      state: 'FAILED',
      stateReason,
      parameters: { 'optimizer.learning_rate': rate, 'head.units': runIndex },
      variedNames: ['optimizer.learning_rate', 'head.units'],
    });
  const runs = [
    failed(1, 'The loss is NaN in epoch 3 of s1-r001.', 1),
    failed(2, 'The loss is NaN in epoch 12 of s1-r002.', 1),
    failed(3, 'Out of memory.', 0.1),
    sampleRun(4, { parameters: { 'optimizer.learning_rate': 0.1 } }),
    sampleRun(5, { state: 'CANCELLED', stateReason: 'enough' }),
  ];
  const groups = failureGroups(runs).map(({ state, reason, runs: members, shared }) => [
    state,
    reason,
    members.length,
    shared,
  ]);
  expect(groups).toEqual([
    ['FAILED', 'The loss is NaN in epoch 3 of s1-r001.', 2, ['optimizer.learning_rate']],
    ['FAILED', 'Out of memory.', 1, []],
    ['CANCELLED', 'enough', 1, []],
  ]);
});

it('formats numbers of any size in one style', () => {
  expect([1e-5, 3e-4, 0.001, 0.5, 64, 1e21].map(formatValue)).toEqual(['1e-5', '3e-4', '0.001', '0.5', '64', '1e21']);
  expect([0.05, 0, 1.234e-5, 3e8, 1.5e30, -2e6, Number.NaN, null].map(formatMetric)).toEqual([
    '0.0500',
    '0.0000',
    '1.23e-5',
    '3e8',
    '1.5e30',
    '-2e6',
    'NaN',
    '–',
  ]);
});
