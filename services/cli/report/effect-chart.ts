import * as Plot from '@observablehq/plot';
import stringWidth from 'string-width';
import { formatMetric } from '../terminal/format.ts';
import { positionOn, tickFormat } from './axis.ts';
import type { Axis } from './axis.ts';
import type { Effect, Level } from './effects.ts';
import type { Html } from './html.ts';
import { LABEL_WIDTH, shortLabels } from './labels.ts';
import { runDots } from './run-dots.ts';
import type { RunDot } from './run-dots.ts';
import { renderSvg, valueAxis } from './svg.ts';

export interface EffectChartOptions {
  readonly effect: Effect;
  readonly metric: string;
  /** Axis of the objective, the same for all parameters. */
  readonly objective: Axis;
  /** Id of the run that is ringed. */
  readonly bestRunId: string | null;
}

interface Dot extends RunDot {
  /** Position along the parameter, 0 to 1. */
  readonly at: number;
}

const WIDTH = 460;
const HEIGHT = 280;
/** Part of the width that the runs without the parameter have, to the left of its axis. */
const UNSET_PART = 0.16;
/** Part of a value's width over which its dots are spread, so that equal ones are seen. */
const SPREAD = 0.5;
/** Latin characters that fit into the whole width under the axis. */
const LINE_WIDTH = 52;

/** Renders the runs by one parameter and the objective, and the median with its interval for each value or bin. */
export function renderEffectChart({ effect, metric, objective, bestRunId }: EffectChartOptions): Html {
  const lanes = lanesOf(effect);
  const dots = effect.levels.flatMap((level, index) => dotsOf(effect, level, lanes[index] ?? WHOLE));
  const ticks = ticksOf(effect, lanes);
  const best = dots.filter(({ run }) => run.runId === bestRunId);
  const plot: Plot.PlotOptions = {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 56,
    marginRight: 14,
    marginTop: 18,
    marginBottom: ticks.rotated ? 78 : 30,
    x: {
      domain: [0, 1],
      label: null,
      ticks: ticks.ticks.map(({ at }) => at),
      tickFormat: (at: number) => ticks.ticks.find((tick) => tick.at === at)?.label ?? '',
      ...(ticks.rotated ? { tickRotate: -35 } : {}),
    },
    y: valueAxis(objective),
    marks: [
      ...separators(effect, lanes, objective),
      ...runDots(dots, 'at', objective),
      Plot.dot(best, { x: 'at', y: 'value', r: 5, fill: 'none', stroke: 'var(--run-1)', strokeWidth: 2 }),
      ...effect.levels.flatMap((level, index) => centreMarks(effect, level, lanes[index] ?? WHOLE, objective)),
    ],
  };
  const described = effect.levels.map(
    ({ label, centre }) => `${label}: ${centre === null ? 'none' : formatMetric(centre.median)}`,
  );
  const description = `${metric} of the runs by ${effect.name}; medians by value: ${described.join(', ')}.`;
  return renderSvg({ title: `${metric} by ${effect.name}`, description, plot });
}

interface Lane {
  readonly from: number;
  readonly to: number;
}

const WHOLE: Lane = { from: 0, to: 1 };

/** Returns the part of the width of each level: equal parts for values; for bins, the place on the axis, right of `not set`. */
function lanesOf(effect: Effect): readonly Lane[] {
  const { levels, axis } = effect;
  if (axis === null)
    return levels.map((_, index) => ({ from: index / levels.length, to: (index + 1) / levels.length }));
  const start = startOf(effect);
  return levels.map(({ bin }) =>
    bin === null ? { from: 0, to: start } : { from: placeOn(axis, start, bin.low), to: placeOn(axis, start, bin.high) },
  );
}

/** Returns where the axis of a binned parameter starts: right of `not set`, where some runs are. */
function startOf({ levels }: Effect): number {
  return levels.some(({ isSet }) => !isSet) ? UNSET_PART : 0;
}

function placeOn(axis: Axis, start: number, value: number): number {
  return start + (1 - start) * (0.02 + 0.96 * positionOn(axis, value));
}

function dotsOf(effect: Effect, level: Level, lane: Lane): readonly Dot[] {
  const { name, axis } = effect;
  const start = startOf(effect);
  return level.runs.map((run, index) => {
    const { bestValue } = run;
    const spread = level.runs.length === 1 ? 0.5 : 0.5 - SPREAD / 2 + SPREAD * ((index * 0.618_034) % 1);
    const at =
      axis !== null && level.isSet
        ? placeOn(axis, start, Number(run.parameters[name]))
        : lane.from + (lane.to - lane.from) * spread;
    return { at, value: bestValue ?? Number.NaN, run };
  });
}

/** Draws a level's median over its width, and its interval across. A single run has none. */
function centreMarks({ axis }: Effect, level: Level, lane: Lane, objective: Axis): readonly Plot.Markish[] {
  const { centre } = level;
  if (centre === null || centre.interval === null) return [];
  const inset = axis === null || !level.isSet ? (lane.to - lane.from) * 0.2 : 0;
  const [x1, x2] = [lane.from + inset, lane.to - inset];
  const clamp = (value: number): number => Math.min(objective.high, Math.max(objective.low, value));
  const { low, high } = centre.interval;
  const stroke = { stroke: 'var(--run-1)', strokeWidth: 2 } as const;
  return [
    Plot.ruleX([(x1 + x2) / 2], { y1: clamp(low), y2: clamp(high), ...stroke }),
    Plot.ruleY([clamp(centre.median)], { x1, x2, ...stroke }),
  ];
}

function separators({ axis, levels }: Effect, lanes: readonly Lane[], { low, high }: Axis): readonly Plot.Markish[] {
  const at = levels.flatMap(({ isSet }, index) => {
    const lane = lanes[index] ?? WHOLE;
    return isSet ? [] : [axis === null ? lane.from : lane.to];
  });
  return [Plot.ruleX(at, { y1: low, y2: high, stroke: 'currentColor', strokeOpacity: 0.3, strokeDasharray: '2 3' })];
}

interface Ticks {
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  readonly rotated: boolean;
}

/** Returns whole labels where they fit into a line, else short ones, which are rotated if they don't fit either. */
function ticksOf(effect: Effect, lanes: readonly Lane[]): Ticks {
  const { axis, levels } = effect;
  const places = levels.map(({ label, isSet }, index) => {
    const { from, to } = lanes[index] ?? WHOLE;
    return { at: (from + to) / 2, label, isSet };
  });
  if (axis !== null) {
    const start = startOf(effect);
    const format = tickFormat(axis);
    const ofAxis = axis.ticks.map((tick) => ({ at: placeOn(axis, start, tick), label: format(tick) }));
    const longest = Math.max(...ofAxis.map(({ label }) => label.length));
    return { ticks: [...places.filter(({ isSet }) => !isSet), ...ofAxis], rotated: longest > LABEL_WIDTH / 2 };
  }
  const whole = places.map(({ label }) => label);
  if (fitIntoLine(whole)) return { ticks: places, rotated: false };
  const labels = shortLabels(whole);
  const ticks = places.map(({ at, label }, index) => ({ at, label: labels[index] ?? label }));
  return { ticks, rotated: !fitIntoLine(labels) };
}

function fitIntoLine(labels: readonly string[]): boolean {
  return Math.max(...labels.map((label) => stringWidth(label))) * labels.length <= LINE_WIDTH;
}
