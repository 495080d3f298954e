import { canBeBest, findBest } from '../../core/ranking.ts';
import type { Objective } from '../../core/objective.ts';
import type { RunRecord } from '../../core/records/run.ts';
import { formatMetric } from '../terminal/format.ts';
import { placeOf, robustAxis } from './axis.ts';
import { renderTable } from './data-table.ts';
import { renderEffectChart } from './effect-chart.ts';
import { effectsOf } from './effects.ts';
import type { Effect, Level } from './effects.ts';
import { breakable, html, wrapping } from './html.ts';
import type { Html } from './html.ts';
import { count, interval, wholePercent } from './numbers.ts';
import { renderParallel } from './parallel-chart.ts';
import { kindOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';

/** Renders how the objective depends on each varied parameter, and on all of them together. */
export function effectsSection({ sweep, runs }: ReportData): Html | null {
  const effects = effectsOf(sweep.spec, runs);
  const counted = runs.filter(canBeBest);
  if (effects.length === 0 || counted.length < 2) return null;
  const { metric, goal } = sweep.spec.objective;
  const objective = robustAxis(
    counted.map(({ bestValue }) => bestValue ?? Number.NaN),
    kindOf(metric),
  );
  const outside = counted.filter(({ bestValue }) => placeOf(objective, bestValue ?? Number.NaN) !== 'inside');
  const binned = effects.some(({ axis }) => axis !== null);
  const hasUnset = effects.some(({ levels }) => levels.some(({ isSet }) => !isSet));
  const figure = (effect: Effect): Html =>
    html`<figure>
      <figcaption>
        <h3>${breakable(effect.name)}</h3>
        ${effect.explained === null ? null : html`<p>${wholePercent(effect.explained)} of the ranks’ variance</p>`}
      </figcaption>
      ${renderEffectChart({ effect, metric, objective, bestRunId: sweep.bestRunId })}
      <details>
        <summary>Numbers</summary>
        ${levelTable(effect, sweep.spec.objective)}
      </details>
    </figure>`;
  return html`<section aria-labelledby="parameters">
    <h2 id="parameters">Parameters</h2>
    <p>
      Each dot is one of ${counted.length} runs at its best ${metric} (${goal === 'minimize' ? 'lower' : 'higher'} is
      better)${sweep.bestRunId === null ? '' : '; the ring is the best run'}. A cross is the median of the runs with a
      value${binned ? ', or in a bin of a continuous parameter,' : ''} and its 95 % interval (between order statistics).
      ${
        outside.length === 0
          ? ''
          : `${count(outside.length, 'run')} outside the axis (▲ or ▼, for example ${formatMetric(extremeOf(outside, goal))}) ${outside.length === 1 ? 'counts' : 'count'} in the medians.`
      }
    </p>
    <details>
      <summary>How to read these charts</summary>
      <ul>
        <li>
          The interval is between the k-th smallest and the k-th largest value and assumes no distribution. Fewer than 6
          runs can’t have 95 %: there it spans all of them. “Numbers” has the runs and the coverage of each.
        </li>
        <li>
          Other parameters differ among the runs of a value as well, so a difference is no proof of a cause. In a grid
          they cancel out, in a random search only about.
        </li>
        <li>
          Parameters are ordered by how much of the variance of the runs’ ranks lies between their values (η² of Kruskal
          and Wallis).
        </li>
        <li>${counted.length} of ${count(runs.length, 'run')} count: failed, cancelled and unmeasured ones do not.</li>
        ${binned ? html`<li>A bin has about as many runs as the others; equal values are never divided.</li>` : null}
        ${hasUnset ? html`<li>“not set” are the runs that the parameter does not exist in.</li>` : null}
      </ul>
    </details>
    <div class="columns">${effects.map(figure)}</div>
    ${effects.length < 2 ? null : renderParallel({ sweep, runs: counted, effects, objective })}
  </section>`;
}

function levelTable({ name, levels }: Effect, objective: Objective): Html {
  return renderTable({
    label: `Results by ${name}`,
    columns: [
      { title: 'value', kind: 'short', names: true },
      { title: 'runs', kind: 'number' },
      { title: 'counted', kind: 'number' },
      { title: 'median', kind: 'number' },
      { title: 'interval', kind: 'number' },
      { title: 'covers', kind: 'number' },
      { title: 'mean', kind: 'number' },
      { title: 'best', kind: 'number' },
    ],
    rows: levels.map((level) => ({
      cells: [
        wrapping(level.label),
        level.runCount,
        level.runs.length,
        formatMetric(level.centre?.median),
        intervalOf(level),
        level.centre?.interval ? wholePercent(level.centre.coverage) : '',
        formatMetric(level.mean),
        formatMetric(findBest(objective, level.runs)?.bestValue),
      ],
    })),
  });
}

/** Returns the worst value of the runs. */
function extremeOf(runs: readonly RunRecord[], goal: 'minimize' | 'maximize'): number {
  const values = runs.map(({ bestValue }) => bestValue ?? Number.NaN);
  return goal === 'minimize' ? Math.max(...values) : Math.min(...values);
}

function intervalOf({ centre }: Level): string {
  if (centre === null || centre.interval === null) return '';
  return interval(centre.interval);
}
