import * as Plot from '@observablehq/plot';
import { compareRuns } from '../../core/ranking.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { positionOn, tickFormat } from './axis.ts';
import type { Axis } from './axis.ts';
import { NOT_SET } from './effects.ts';
import type { Effect } from './effects.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { shortLabels } from './labels.ts';
import { count } from './numbers.ts';
import { HIGHLIGHTED } from './report-data.ts';
import { STROKE, runStyle } from './run-style.ts';
import { renderSvg } from './svg.ts';

export interface ParallelOptions {
  readonly sweep: SweepRecord;
  /** Runs that count. */
  readonly runs: readonly RunRecord[];
  readonly effects: readonly Effect[];
  /** Axis of the objective. */
  readonly objective: Axis;
}

/** A vertical axis of the chart. */
interface Column {
  readonly title: string;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  /** Height of a run, 0 at the bottom to 1. */
  placeOf(run: RunRecord): number;
}

const MOST_COLUMNS = 8;
/** Runs drawn at most. */
const MOST_RUNS = 300;
/** Width of the whole chart, unless its axes would come closer or farther than these distances. */
const WIDTH = 1_110;
const LEAST_DISTANCE = 118;
const MOST_DISTANCE = 220;
const MARGIN = 75;
const HEIGHT = 340;
const UNSET_PLACE = 0;
/** Height at which the values of a parameter start that some runs do not have. */
const SET_START = 0.16;

/** Renders each run as a line through its parameters to its objective; the best three in the colours of the learning curves. */
export function renderParallel({ sweep, runs, effects, objective }: ParallelOptions): Html {
  const { metric, goal } = sweep.spec.objective;
  const shown = effects.slice(0, MOST_COLUMNS);
  const formatTick = tickFormat(objective);
  const lastTicks = objective.ticks.map((tick) => ({
    at: flipped(positionOn(objective, tick)),
    label: formatTick(tick),
  }));
  function flipped(place: number): number {
    return goal === 'minimize' ? 1 - place : place;
  }
  const columns: readonly Column[] = [
    ...shown.map(columnOf),
    {
      title: metric,
      ticks: lastTicks,
      placeOf: ({ bestValue }) => flipped(positionOn(objective, bestValue ?? Number.NaN)),
    },
  ];
  const ranked = [...runs].sort((a, b) => compareRuns(sweep.spec.objective, a, b));
  const lines = evenlyFrom(ranked, MOST_RUNS, HIGHLIGHTED).flatMap((run, order) =>
    columns.map((column, index) => ({
      run,
      place: order < HIGHLIGHTED ? order : -1,
      x: index,
      y: column.placeOf(run),
    })),
  );
  const gaps = columns.length - 1;
  const distance = Math.min(MOST_DISTANCE, Math.max(LEAST_DISTANCE, (WIDTH - 2 * MARGIN) / gaps));
  const ticks = columns.flatMap((column, x) => column.ticks.map((tick) => ({ x, ...tick })));
  const titles = columns.map(({ title }, x) => ({ x, title: title.replaceAll(/(?<=\.)/g, '\n') }));
  const plot: Plot.PlotOptions = {
    width: distance * gaps + 2 * MARGIN,
    height: HEIGHT,
    marginLeft: MARGIN,
    marginRight: MARGIN,
    marginTop: 64,
    marginBottom: 14,
    x: { domain: [0, gaps], axis: null },
    y: { domain: [0, 1], axis: null },
    marks: [
      Plot.ruleX(
        columns.map((_, x) => x),
        { y1: 0, y2: 1, stroke: 'currentColor', strokeOpacity: 0.45 },
      ),
      Plot.line(
        lines.filter(({ place }) => place < 0),
        {
          x: 'x',
          y: 'y',
          z: ({ run }: (typeof lines)[number]) => run.runId,
          stroke: 'currentColor',
          strokeWidth: STROKE,
          strokeOpacity: faintness(runs.length),
        },
      ),
      ...Array.from({ length: HIGHLIGHTED }, (_, place) =>
        Plot.line(
          lines.filter((line) => line.place === place),
          { x: 'x', y: 'y', ...runStyle(place) },
        ),
      ),
      Plot.text(ticks, {
        x: 'x',
        y: 'at',
        text: 'label',
        dx: 5,
        textAnchor: 'start',
        fill: 'currentColor',
        stroke: 'var(--paper)',
        strokeWidth: 4,
        fontSize: 11,
      }),
      Plot.text(titles, {
        x: 'x',
        y: () => 1,
        text: 'title',
        dy: -10,
        lineAnchor: 'bottom',
        fill: 'currentColor',
        fontWeight: 600,
        fontSize: 11,
      }),
    ],
  };
  const left = effects.length - shown.length;
  const description = `Each line is a run; the axes are ${columns.map(({ title }) => title).join(', ')}, better runs higher on the last one.`;
  return html`<figure class="parallel">
    <figcaption>
      <h3>All parameters together</h3>
      <p>
        Each line is a run, from its parameters to its best ${metric} on the right, where better runs are higher.
        Coloured: run ${legendOf(ranked)}.
        ${left === 0 ? '' : `The ${left === 1 ? 'parameter' : count(left, 'parameter')} with the smallest effect ${left === 1 ? 'is' : 'are'} left out.`}
        ${runs.length <= MOST_RUNS ? '' : `${MOST_RUNS} of ${runs.length} runs are drawn, evenly from all ranks.`}
      </p>
    </figcaption>
    <div class="scroll" tabindex="0" role="region" aria-label="Parallel coordinates">
      ${renderSvg({ title: 'Parallel coordinates', description, plot })}
    </div>
  </figure>`;
}

/** Returns at most `limit` of the items in their order: the first ones, and others evenly from the rest. */
function evenlyFrom<Item>(items: readonly Item[], limit: number, first: number): readonly Item[] {
  if (items.length <= limit) return items;
  const [rest, wanted] = [items.length - first, limit - first];
  const chosen = new Set(Array.from({ length: wanted }, (_, index) => first + Math.floor((index * rest) / wanted)));
  return items.filter((_, index) => index < first || chosen.has(index));
}

function legendOf(ranked: readonly RunRecord[]): readonly Html[] {
  return ranked
    .slice(0, HIGHLIGHTED)
    .map(
      ({ runIndex }, place) => html`${place === 0 ? '' : ', '}<span class="key key-${place + 1}">${runIndex}</span>`,
    );
}

function columnOf({ name, levels, axis }: Effect): Column {
  const hasUnset = levels.some(({ isSet }) => !isSet);
  const start = hasUnset ? SET_START : 0;
  const unset = hasUnset ? [{ at: UNSET_PLACE, label: NOT_SET }] : [];
  const within = (place: number): number => start + (1 - start) * place;
  if (axis !== null) {
    const formatTick = tickFormat(axis);
    return {
      title: name,
      ticks: [...unset, ...axis.ticks.map((tick) => ({ at: within(positionOn(axis, tick)), label: formatTick(tick) }))],
      placeOf: ({ parameters }) =>
        Object.hasOwn(parameters, name) ? within(positionOn(axis, Number(parameters[name]))) : UNSET_PLACE,
    };
  }
  const set = levels.filter(({ isSet }) => isSet);
  const labels = shortLabels(set.map(({ label }) => label));
  const placeAt = (index: number): number => within(set.length === 1 ? 0.5 : index / (set.length - 1));
  const places = new Map(set.map(({ value }, index) => [value, placeAt(index)]));
  return {
    title: name,
    ticks: [...unset, ...labels.map((label, index) => ({ at: placeAt(index), label }))],
    placeOf: ({ parameters }) => places.get(parameters[name] ?? null) ?? UNSET_PLACE,
  };
}

function faintness(runCount: number): number {
  return runCount > 60 ? 0.09 : 0.3;
}
