import * as Plot from '@observablehq/plot';
import { isBetter } from '../../core/objective.ts';
import { canBeBest } from '../../core/ranking.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { isTerminalRunState } from '../../core/states/run-state.ts';
import { formatMetric } from '../terminal/format.ts';
import { robustAxis } from './axis.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { kindOf } from './report-data.ts';
import { runDots } from './run-dots.ts';
import type { RunDot } from './run-dots.ts';
import { countAxis, renderSvg, valueAxis } from './svg.ts';

interface Step extends RunDot {
  /** Place in the order in which the runs ended, from 1. */
  readonly order: number;
  readonly best: number;
}

const WIDTH = 460;
const HEIGHT = 220;
const LEAST_RUNS = 3;

/** Returns the ended runs in the order of their ends, each with the best value so far. */
export function bestSoFar({ spec }: SweepRecord, runs: readonly RunRecord[]): readonly Step[] {
  const ended = runs.filter((run) => isTerminalRunState(run.state) && canBeBest(run));
  ended.sort((a, b) => (a.endTime?.getTime() ?? 0) - (b.endTime?.getTime() ?? 0) || a.runIndex - b.runIndex);
  let best: number | null = null;
  return ended.map((run, index) => {
    const value = run.bestValue ?? Number.NaN;
    if (isBetter(spec.objective, value, best)) best = value;
    return { order: index + 1, run, value, best: best ?? value };
  });
}

/** Renders the best value so far as runs ended; null for fewer than three. */
export function renderProgress(sweep: SweepRecord, runs: readonly RunRecord[]): Html | null {
  const steps = bestSoFar(sweep, runs);
  const last = steps.at(-1);
  if (last === undefined || steps.length < LEAST_RUNS) return null;
  const { metric } = sweep.spec.objective;
  const axis = robustAxis(
    steps.map(({ value }) => value),
    kindOf(metric),
  );
  const improvements = steps.filter(({ best, order }) => order === 1 || best !== steps[order - 2]?.best);
  const plot: Plot.PlotOptions = {
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 56,
    marginRight: 14,
    marginTop: 14,
    marginBottom: 36,
    x: { ...countAxis('ended runs', steps.length), domain: [0.5, steps.length + 0.5] },
    y: valueAxis(axis),
    marks: [
      ...runDots(steps, 'order', axis),
      Plot.line(improvements.concat({ ...last, order: steps.length }), {
        x: 'order',
        y: 'best',
        curve: 'step-after',
        stroke: 'var(--run-1)',
        strokeWidth: 1.8,
        clip: true,
      }),
    ],
  };
  const described = improvements.map(({ run, best }) => `run ${run.runIndex} ${formatMetric(best)}`).join(', ');
  const description = `Best ${metric} so far over ${steps.length} ended runs; improved by ${described}.`;
  return html`<figure>
    <figcaption>
      <h3>Best so far</h3>
      <p>Runs in the order in which they ended, and the best ${metric} among them so far.</p>
    </figcaption>
    ${renderSvg({ title: `Best ${metric} so far`, description, plot })}
  </figure>`;
}
