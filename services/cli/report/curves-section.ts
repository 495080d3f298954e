import { canBeBest } from '../../core/ranking.ts';
import type { RunRecord } from '../../core/records/run.ts';
import { drawsBands, renderCurveChart } from './curve-chart.ts';
import type { HighlightedRun } from './curve-chart.ts';
import { Curves } from './curves.ts';
import { html, parameterList } from './html.ts';
import type { Html } from './html.ts';
import { chartedMetrics, hasEnded, HIGHLIGHTED, kindOf, titleOfMetric } from './report-data.ts';
import type { ReportData } from './report-data.ts';

/** Returns the epochs at which a run was compared with others, numbered over both stages; none if every run trained to its end. */
function rungEpochs({ search }: ReportData, curves: Curves, { runId, runIndex }: RunRecord): readonly number[] {
  if (search === null) return [];
  const stages = new Map(search.explanation.rungs.map(({ rung, stage }) => [rung, stage]));
  return search.entries
    .filter((entry) => entry.runId === runId)
    .map(({ rung, epoch }) => curves.epochOf(runIndex, stages.get(rung) ?? null, epoch));
}

/** Renders the learning curves of all recorded metrics of quality. */
export function curvesSection(data: ReportData): Html {
  const { leaderboard, metrics, runs, sweep } = data;
  if (metrics.length === 0) {
    return html`<section aria-labelledby="curves">
      <h2 id="curves">Learning curves</h2>
      <p>${hasEnded(sweep) ? 'No epoch was trained.' : 'No epoch has ended yet.'}</p>
    </section>`;
  }
  const curves = new Curves(metrics, runs);
  const best = leaderboard.entries.filter(({ run }) => run.bestValue !== null).slice(0, HIGHLIGHTED);
  const highlighted = best.map(({ run }): HighlightedRun => ({
    runIndex: run.runIndex,
    bestEpoch: run.bestEpoch === 0 ? null : curves.epochOf(run.runIndex, run.bestStage, run.bestEpoch),
    fineTuneStart: curves.fineTuneStart(run.runIndex),
    rungs: rungEpochs(data, curves, run),
  }));
  const drawn = curves.runCount;
  const rest = drawn - best.length;
  const withBands = drawsBands(drawn, best.length);
  return html`<section aria-labelledby="curves">
    <h2 id="curves">Learning curves</h2>
    <ul class="legend">
      ${best.map(({ run, rank }, place) => {
        const state = run.state === 'SUCCEEDED' ? '' : `, ${run.state}`;
        return html`<li>
          <span class="key key-${place + 1}">Run ${run.runIndex}</span
          >${canBeBest(run) ? `, rank ${rank}` : ''}${state}${
            run.variedNames.length === 0
              ? null
              : html`: <span class="faint">${parameterList(run.parameters, run.variedNames)}</span>`
          }
        </li>`;
      })}
      ${rest === 0 ? null : html`<li><span class="key key-rest">${withBands ? `distribution of all ${drawn} runs` : rest === 1 ? 'the other run' : `the other ${rest} runs`}</span></li>`}
    </ul>
    <p>
      ○ is the best epoch by ${sweep.spec.objective.metric}.
      ${
        runs.some(({ runIndex }) => curves.fineTuneStart(runIndex) !== null)
          ? 'Epochs of fine-tuning are numbered after those of the head; a dashed line marks their start.'
          : ''
      }
      ${highlighted.some(({ rungs }) => rungs.length > 0) ? '◆ is a rung, at which runs were compared.' : ''}
      ${withBands ? 'The line is the median of the runs with a finite value in an epoch, the bands hold 50\u202f% and 90\u202f% of them.' : ''}
    </p>
    <div class="columns">
      ${chartedMetrics(sweep.spec.objective.metric)
        .filter((name) => curves.names.includes(name))
        .map(chart)}
    </div>
  </section>`;

  function chart(name: string): Html {
    const title = titleOfMetric(name);
    const runCurves = curves.curvesOf(name);
    const { svg, outside, axis } = renderCurveChart({ title, runs: runCurves, highlighted, kind: kindOf(name) });
    return html`<figure>
      <figcaption><h3>${title}${axis.scale === 'log' ? html` <small>logarithmic</small>` : null}</h3></figcaption>
      ${svg} ${outside === '' ? null : html`<p class="outside">${outside}</p>`}
    </figure>`;
  }
}
