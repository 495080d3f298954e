import * as Plot from '@observablehq/plot';
import { canBeBest } from '../../core/ranking.ts';
import type { FrontEntryRecord } from '../../core/records/pareto-front.ts';
import { frontNotes } from '../describe/front-text.ts';
import { formatBytes, formatCount, formatIndexes, formatMetric, formatParameters } from '../terminal/format.ts';
import { logarithmic, robustAxis } from './axis.ts';
import { renderTable } from './data-table.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { kindOf, titleOfMetric } from './report-data.ts';
import type { ReportData } from './report-data.ts';
import { runDots } from './run-dots.ts';
import type { RunDot } from './run-dots.ts';
import { renderSvg, valueAxis } from './svg.ts';

interface SizedDot extends RunDot {
  readonly megabytes: number;
}

const WIDTH = 460;
const HEIGHT = 240;
const MEGABYTE = 1e6;

/** Renders the runs that no smaller one equals; null where all models have the same size, or none has a value. */
export function frontSection({ sweep, runs, front }: ReportData): Html | null {
  const sized = runs.filter(({ modelBytes }) => modelBytes !== null);
  if (front.length === 0 || new Set(sized.map(({ modelBytes, flops }) => `${modelBytes} ${flops}`)).size < 2)
    return null;
  const { metric } = sweep.spec.objective;
  return html`<section aria-labelledby="front">
    <h2 id="front">Size and ${titleOfMetric(metric).replace(/^./, (letter) => letter.toLowerCase())}</h2>
    ${frontNotes(front).map((note) => html`<p>${note}</p>`)}
    ${renderTable({
      label: 'Pareto front',
      noun: 'run',
      columns: [
        { title: 'run', kind: 'number', names: true },
        { title: metric, kind: 'number' },
        { title: '± SE', kind: 'number', optional: true },
        { title: 'model', kind: 'number' },
        { title: 'weights', kind: 'number' },
        { title: 'operations', kind: 'number' },
        { title: 'in place of', kind: 'short', optional: true },
        { title: 'parameters', kind: 'wide' },
      ],
      rows: front.map(({ run, standardError, tiedRunIndexes }) => ({
        cells: [
          run.runIndex,
          formatMetric(run.bestValue),
          standardError === null ? '' : formatMetric(standardError),
          run.modelBytes === null ? '–' : formatBytes(run.modelBytes),
          run.parameterCount === null ? '–' : formatCount(run.parameterCount),
          run.flops === null ? '–' : formatCount(run.flops),
          formatIndexes(tiedRunIndexes),
          formatParameters(run.parameters, run.variedNames),
        ],
      })),
    })}
    ${chart(metric, dotsOf(sized), front)}
  </section>`;
}

function dotsOf(runs: ReportData['runs']): readonly SizedDot[] {
  return runs
    .filter((run) => canBeBest(run))
    .map((run) => ({ run, value: run.bestValue ?? Number.NaN, megabytes: (run.modelBytes ?? 0) / MEGABYTE }));
}

/** Draws all runs by size and value; the front as a line in steps. Null where sizes are equal, and only the operations differ. */
function chart(metric: string, dots: readonly SizedDot[], front: readonly FrontEntryRecord[]): Html | null {
  const sizes = dots.map(({ megabytes }) => megabytes);
  const [low, high] = [Math.min(...sizes), Math.max(...sizes)];
  if (dots.length === 0 || low === high) return null;
  const onFront = dotsOf(front.map(({ run }) => run));
  const axis = robustAxis(
    dots.map(({ value }) => value),
    kindOf(metric),
  );
  const plot: Plot.PlotOptions = {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 56,
    marginRight: 20,
    marginTop: 14,
    marginBottom: 36,
    x: {
      ...valueAxis(logarithmic(low, high)),
      label: 'MB of the model',
      labelAnchor: 'center',
      labelArrow: 'none',
      grid: false,
    },
    y: valueAxis(axis),
    marks: [
      ...runDots(dots, 'megabytes', axis),
      Plot.line(onFront, {
        x: 'megabytes',
        y: 'value',
        curve: 'step-after',
        stroke: 'var(--run-1)',
        strokeWidth: 1.8,
        clip: true,
      }),
      Plot.dot(onFront, { x: 'megabytes', y: 'value', r: 4, fill: 'var(--run-1)', clip: true }),
      Plot.text(onFront, {
        x: 'megabytes',
        y: 'value',
        text: ({ run }: SizedDot) => String(run.runIndex),
        dx: 6,
        dy: -8,
        fill: 'currentColor',
      }),
    ],
  };
  const described = onFront
    .map(
      ({ run, megabytes }) =>
        `run ${run.runIndex}, ${formatBytes(megabytes * MEGABYTE)}, ${formatMetric(run.bestValue)}`,
    )
    .join('; ');
  return html`<figure>
    <figcaption>
      <h3>Size of the model</h3>
      <p>Each run by the bytes of its model and its best ${metric}; the line joins the front.</p>
    </figcaption>
    ${renderSvg({
      title: `Best ${metric} by size of the model`,
      description: `The front: ${described}.`,
      plot,
    })}
  </figure>`;
}
