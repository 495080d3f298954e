import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { CurvePoint } from './curves.ts';
import { Html } from './html.ts';

export interface ChartOptions {
  readonly title: string;
  readonly description: string;
  readonly points: readonly CurvePoint[];
  /** Run numbers drawn in colour, best first. */
  readonly highlighted: readonly number[];
  /** Upper end of the axis; accuracies show theirs. */
  readonly isAccuracy: boolean;
}

/** Width at which text of 13 units stays legible on a telephone of 360 pixels. */
const WIDTH = 460;
const HEIGHT = 280;

/** Renders a static SVG of learning curves: highlighted runs in the page's run colours, the others faint behind them. */
export function renderChart(options: ChartOptions): Html {
  // Its types require those of the DOM, which this project does not load; the chart only passes the document on.
  const { document } = parseHTML('<!doctype html><html><body></body></html>') as unknown as { document: object };
  const { points, highlighted } = options;
  const faint = points.filter(({ runIndex }) => !highlighted.includes(runIndex));
  const plot: Plot.PlotOptions = {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 48,
    marginBottom: 38,
    style: { fontSize: '13px', fontFamily: 'inherit', background: 'transparent' },
    ariaLabel: options.title,
    ariaDescription: options.description,
    x: { label: 'epoch', ticks: integerTicks(points), tickFormat: 'd' },
    y: { label: null, grid: true, nice: true, ...(options.isAccuracy ? {} : { zero: false }) },
    marks: [
      Plot.line(faint, {
        x: 'epoch',
        y: 'value',
        z: 'runIndex',
        stroke: 'currentColor',
        strokeOpacity: 0.22,
        strokeWidth: 1,
      }),
      // The best run is drawn last and thinnest: runs that share a head have the same curve, and all of them must be visible.
      ...[...highlighted.keys()].reverse().map((place) =>
        Plot.line(
          points.filter(({ runIndex }) => runIndex === highlighted[place]),
          { x: 'epoch', y: 'value', stroke: `var(--run-${place + 1})`, strokeWidth: 2.2 + place * 1.6 },
        ),
      ),
      ...singlePoints(points, highlighted),
    ],
  };
  const svg: unknown = Plot.plot(Object.assign(plot, { document }));
  return new Html((svg as { outerHTML: string }).outerHTML);
}

/** Draws a dot for each run of one epoch, which has no line. */
function singlePoints(points: readonly CurvePoint[], highlighted: readonly number[]): readonly Plot.Dot[] {
  const counts = new Map<number, number>();
  for (const { runIndex } of points) counts.set(runIndex, (counts.get(runIndex) ?? 0) + 1);
  return points
    .filter(({ runIndex }) => counts.get(runIndex) === 1)
    .map((point) => {
      const place = highlighted.indexOf(point.runIndex);
      const fill = place < 0 ? 'currentColor' : `var(--run-${place + 1})`;
      return Plot.dot([point], { x: 'epoch', y: 'value', r: 3, fill, fillOpacity: place < 0 ? 0.3 : 1 });
    });
}

function integerTicks(points: readonly CurvePoint[]): number[] {
  const last = points.reduce((max, { epoch }) => Math.max(max, epoch), 1);
  const step = Math.max(1, Math.ceil(last / 8));
  const ticks = Array.from({ length: Math.floor(last / step) }, (_, index) => (index + 1) * step);
  return ticks[0] === 1 ? ticks : [1, ...ticks];
}
