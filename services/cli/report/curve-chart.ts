import * as Plot from '@observablehq/plot';
import { groupByKey } from '../../core/group-by-key.ts';
import { formatMetric } from '../terminal/format.ts';
import { placeOf, robustAxis } from './axis.ts';
import type { Axis } from './axis.ts';
import { bandsOf } from './curves.ts';
import type { CurvePoint, RunCurves } from './curves.ts';
import type { Html } from './html.ts';
import { count } from './numbers.ts';
import { STROKE, colourOf, runStyle } from './run-style.ts';
import { countAxis, renderSvg, valueAxis } from './svg.ts';

/** A run that is drawn in its own colour and pattern. */
export interface HighlightedRun {
  readonly runIndex: number;
  /** Epoch of its best objective value; null: it has none. */
  readonly bestEpoch: number | null;
  /** First epoch of its fine-tuning; null: it has none. */
  readonly fineTuneStart: number | null;
  /** Epochs at which it was compared with other runs. */
  readonly rungs: readonly number[];
}

export interface CurveChart {
  readonly svg: Html;
  /** Sentences about what the axis does not show; empty: it shows everything. */
  readonly outside: string;
  readonly axis: Axis;
}

export interface CurveChartOptions {
  readonly title: string;
  readonly runs: RunCurves;
  /** Best first. */
  readonly highlighted: readonly HighlightedRun[];
  readonly kind: 'loss' | 'score';
}

/** Width at which text of 12 units stays legible on a telephone of 360 pixels. */
const WIDTH = 460;
const HEIGHT = 280;
/** Number of other runs up to which each has its own line; more are drawn as a distribution. */
const MOST_LINES = 40;
const NAMED_RUNS = 4;

export function drawsBands(runCount: number, highlighted: number): boolean {
  return runCount - highlighted > MOST_LINES;
}

/** Renders the learning curves of one metric on a robust axis, with marks for what lies outside it. */
export function renderCurveChart({ title, runs, highlighted, kind }: CurveChartOptions): CurveChart {
  const points = [...runs.values()].flat();
  const axis = robustAxis(
    points.map(({ value }) => value),
    kind,
  );
  const chosen = highlighted.map(({ runIndex }) => runIndex);
  const withBands = drawsBands(runs.size, chosen.length);
  const lastEpoch = points.reduce((last, { epoch }) => Math.max(last, epoch), 1);
  const plot: Plot.PlotOptions = {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 52,
    marginRight: 12,
    marginTop: 22,
    marginBottom: 36,
    x: countAxis('epoch', lastEpoch),
    y: valueAxis(axis),
    marks: [
      ...startMarks(highlighted, axis),
      ...(withBands ? bandMarks(points, axis) : [faintLines(runs, chosen)]),
      ...highlighted.map(({ runIndex }, place) => runLine(runs.get(runIndex) ?? [], place)),
      ...loneDots(runs, chosen, withBands),
      ...rungMarks(runs, highlighted, axis),
      ...bestDots(runs, highlighted, axis),
      ...edgeMarks(runs, chosen, axis, withBands),
    ],
  };
  const described = chosen.map((runIndex) => {
    const last = runs.get(runIndex)?.at(-1);
    return `run ${runIndex} ends at ${formatMetric(last?.value)}`;
  });
  const description = `${[`${title} by epoch for ${count(runs.size, 'run')}`, described.join(', ')].filter((part) => part !== '').join('; ')}.`;
  return { svg: renderSvg({ title, description, plot }), outside: describeOutside(runs, axis), axis };
}

function faintLines(runs: RunCurves, chosen: readonly number[]): Plot.Line {
  const points = [...runs].flatMap(([runIndex, own]) =>
    chosen.includes(runIndex) ? [] : own.map((point) => ({ ...point, runIndex })),
  );
  const options = { stroke: 'currentColor', strokeOpacity: 0.28, strokeWidth: STROKE, clip: true } as const;
  return Plot.line(points, { x: 'epoch', y: finiteValue, z: 'runIndex', ...options });
}

function runLine(points: readonly CurvePoint[], place: number): Plot.Line {
  return Plot.line(points, { x: 'epoch', y: finiteValue, ...runStyle(place), clip: true });
}

/** Breaks a line at NaN and infinities. */
function finiteValue({ value }: CurvePoint): number {
  return Number.isFinite(value) ? value : Number.NaN;
}

function bandMarks(points: readonly CurvePoint[], { low, high }: Axis): readonly Plot.Markish[] {
  const at = (index: number) => (band: { readonly quantiles: readonly number[] }) =>
    Math.min(high, Math.max(low, band.quantiles[index] ?? Number.NaN));
  const bands = bandsOf(points);
  const area = (from: number, to: number): Plot.Area =>
    Plot.areaY(bands, { x: 'epoch', y1: at(from), y2: at(to), fill: 'currentColor', fillOpacity: 0.1 });
  const options = { stroke: 'currentColor', strokeOpacity: 0.55, strokeWidth: STROKE } as const;
  return [area(0, 4), area(1, 3), Plot.line(bands, { x: 'epoch', y: at(2), ...options })];
}

/** Draws a dot for each run of one epoch, which has no line. */
function loneDots(runs: RunCurves, chosen: readonly number[], withBands: boolean): readonly Plot.Dot[] {
  return [...runs].flatMap(([runIndex, points]) => {
    const place = chosen.indexOf(runIndex);
    if (points.length !== 1 || (withBands && place < 0)) return [];
    const options = { r: 3, fill: colourOf(place), fillOpacity: place < 0 ? 0.3 : 1, clip: true } as const;
    return [Plot.dot(points, { x: 'epoch', y: finiteValue, ...options })];
  });
}

function bestDots(runs: RunCurves, highlighted: readonly HighlightedRun[], axis: Axis): readonly Plot.Dot[] {
  return highlighted.flatMap(({ runIndex, bestEpoch }, place) => {
    const best = runs
      .get(runIndex)
      ?.filter(({ epoch, value }) => epoch === bestEpoch && placeOf(axis, value) === 'inside');
    if (best === undefined || best.length === 0) return [];
    return [
      Plot.dot(best, { x: 'epoch', y: 'value', r: 4.5, fill: 'var(--paper)', stroke: colourOf(place), strokeWidth: 2 }),
    ];
  });
}

/** Draws a diamond on the curve of each highlighted run at its rungs. */
function rungMarks(runs: RunCurves, highlighted: readonly HighlightedRun[], axis: Axis): readonly Plot.Dot[] {
  return highlighted.flatMap(({ runIndex, rungs }, place) => {
    const at = runs
      .get(runIndex)
      ?.filter(({ epoch, value }) => rungs.includes(epoch) && placeOf(axis, value) === 'inside');
    if (at === undefined || at.length === 0) return [];
    const options = { symbol: 'diamond', r: 4, fill: colourOf(place), stroke: 'var(--paper)' } as const;
    return [Plot.dot(at, { x: 'epoch', y: 'value', ...options })];
  });
}

/** Draws the start of each highlighted run's fine-tuning as a dashed line; equal starts share one. */
function startMarks(highlighted: readonly HighlightedRun[], { low, high }: Axis): readonly Plot.Markish[] {
  const tuned = highlighted.flatMap(({ fineTuneStart, runIndex }) =>
    fineTuneStart === null ? [] : [{ at: fineTuneStart - 0.5, runIndex }],
  );
  const starts = [...groupByKey(tuned, ({ at }) => at)].sort(([a], [b]) => a - b);
  return starts.flatMap(([at, runs], index) => {
    const all = starts.length === 1 ? '' : ` ${runs.map(({ runIndex }) => runIndex).join(', ')}`;
    const label = `fine-tuning${all}`;
    return [
      Plot.ruleX([at], { y1: low, y2: high, stroke: 'currentColor', strokeOpacity: 0.6, strokeDasharray: '4 3' }),
      Plot.text([at], {
        x: (x: number) => x,
        y: high,
        text: () => label,
        fill: 'currentColor',
        textAnchor: 'middle',
        dy: index % 2 === 0 ? -14 : -4,
        fontSize: 11,
      }),
    ];
  });
}

/**
 * Marks the first epoch of each run beyond the upper (▲) or lower (▼) end of the axis, and of each that is no number (×); of the runs in
 * a distribution, each such epoch once.
 */
function edgeMarks(runs: RunCurves, chosen: readonly number[], axis: Axis, withBands: boolean): readonly Plot.Dot[] {
  const marked = new Set<string>();
  return [...runs].flatMap(([runIndex, points]) => {
    const place = chosen.indexOf(runIndex);
    return (['above', 'below', 'none'] as const).flatMap((wanted) => {
      const first = points.find(({ value }) => placeOf(axis, value) === wanted);
      if (first === undefined) return [];
      if (withBands && place < 0) {
        const mark = `${wanted} ${first.epoch}`;
        if (marked.has(mark)) return [];
        marked.add(mark);
      }
      const y = wanted === 'below' ? axis.low : axis.high;
      const shape =
        wanted === 'none'
          ? ({ symbol: 'times', stroke: colourOf(place), strokeWidth: 2, r: 5 } as const)
          : ({ symbol: 'triangle', fill: colourOf(place), r: 4.5, rotate: wanted === 'below' ? 180 : 0 } as const);
      return [Plot.dot([first], { x: 'epoch', y: () => y, dy: wanted === 'below' ? -4 : 4, ...shape })];
    });
  });
}

/** Says which runs have values outside the axis, and which are no numbers. */
function describeOutside(runs: RunCurves, axis: Axis): string {
  const outside = (['above', 'below'] as const).flatMap((side) => {
    const found = [...runs].flatMap(([runIndex, points]) => {
      const beyond = points.filter(({ value }) => placeOf(axis, value) === side);
      const values = beyond.map(({ value }) => value);
      const extreme = side === 'above' ? Math.max(...values) : Math.min(...values);
      return beyond.length === 0 ? [] : [{ runIndex, extreme, from: beyond[0]?.epoch ?? 0 }];
    });
    if (found.length === 0) return [];
    found.sort((a, b) => (side === 'above' ? b.extreme - a.extreme : a.extreme - b.extreme));
    const mark = side === 'above' ? '▲' : '▼';
    const bound = side === 'above' ? 'up to' : 'down to';
    const [first] = found;
    const named = found.map(
      (one) => `run ${one.runIndex} (${bound} ${formatMetric(one.extreme)}, from epoch ${one.from})`,
    );
    const all = `${found.length} runs, ${bound} ${formatMetric(first?.extreme)} (run ${first?.runIndex ?? ''})`;
    return [
      `${mark} ${side === 'above' ? 'Above' : 'Below'} the axis: ${found.length > NAMED_RUNS ? all : named.join(', ')}.`,
    ];
  });
  const broken = [...runs].flatMap(([runIndex, points]) => {
    const first = points.find(({ value }) => !Number.isFinite(value));
    return first === undefined ? [] : [`run ${runIndex} (${numberName(first.value)} from epoch ${first.epoch})`];
  });
  return [...outside, ...(broken.length === 0 ? [] : [`× Not a finite number: ${listed(broken)}.`])].join(' ');
}

function numberName(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'infinity' : '−infinity';
}

function listed(items: readonly string[]): string {
  const more = items.length > NAMED_RUNS ? ` and ${items.length - NAMED_RUNS} more` : '';
  return items.slice(0, NAMED_RUNS).join(', ') + more;
}
