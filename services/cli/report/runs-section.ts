import { formatInterval, formatMetric, formatParameters, formatValue } from '../terminal/format.ts';
import { renderChart } from './chart.ts';
import { curvePoints } from './curves.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { ReportData } from './report-data.ts';
import type { RunRecord } from '../../core/records/run.ts';

const HIGHLIGHTED = 3;

export function leaderboardSection({ leaderboard, runs }: ReportData): Html {
  const varied = [...new Set(runs.flatMap(({ variedNames }) => variedNames))];
  const looks = leaderboard.testLookCount;
  // A column with SUCCEEDED in every row would only take space from the parameters.
  const hasStates = leaderboard.entries.some(({ run }) => run.state !== 'SUCCEEDED' || run.stateReason !== '');
  return html`<section aria-labelledby="leaderboard">
    <h2 id="leaderboard">Leaderboard</h2>
    <p>Ranked by validation. ${testLooks(looks, runs.length)}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Leaderboard">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">rank</th>
            <th scope="col" class="number">run</th>
            <th scope="col" class="number">val loss</th>
            <th scope="col" class="number">val accuracy</th>
            <th scope="col">best epoch</th>
            <th scope="col">test accuracy (95 %)</th>
            ${varied.map((name) => html`<th scope="col" class="parameter">${breakable(name)}</th>`)}
            ${hasStates ? html`<th scope="col">state</th>` : null}
          </tr>
        </thead>
        <tbody>
          ${leaderboard.entries.map(
            ({
              rank,
              run,
              testResult,
            }) => html`<tr${rank === 1 && run.bestValue !== null ? html` class="winner"` : null}>
<td class="number">${rank}</td><th scope="row" class="number">${run.runIndex}</th>
<td class="number">${formatMetric(run.bestValLoss)}</td><td class="number">${formatMetric(run.bestValAccuracy)}</td>
<td class="short">${run.bestValue === null ? '–' : `${run.bestStage ?? ''} ${run.bestEpoch}`}</td>
<td class="short">${testResult === null ? '' : formatInterval(testResult.accuracy, testResult.accuracyLow, testResult.accuracyHigh)}</td>
${varied.map((name) => html`<td>${Object.hasOwn(run.parameters, name) ? formatValue(run.parameters[name]) : ''}</td>`)}
${hasStates ? stateCell(run) : null}</tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function stateCell({ state, stateReason }: RunRecord): Html {
  return stateReason === '' ? html`<td>${state}</td>` : html`<td class="wide">${state}: ${stateReason}</td>`;
}

/** Allows line breaks after dots and underscores: an unbroken name would make its column wider than its values need. */
function breakable(name: string): Html {
  return html`${name.split(/(?<=[._])/).map((part) => html`${part}<wbr />`)}`;
}

function testLooks(looks: number, runCount: number): string {
  if (looks === 0) return 'No run has been evaluated on the test split.';
  const who = looks === 1 ? 'one run' : `${looks} of ${runCount} runs`;
  const warning =
    looks > 2
      ? ' Choosing the best of several test results would overestimate it; the rank above does not use them.'
      : '';
  return `The test split was used to evaluate ${who}.${warning}`;
}

export function curvesSection(data: ReportData): Html {
  const best = data.leaderboard.entries.filter(({ run }) => run.bestValue !== null).slice(0, HIGHLIGHTED);
  if (data.metrics.length === 0) {
    return html`<section aria-labelledby="curves">
      <h2 id="curves">Learning curves</h2>
      <p>No epoch has ended yet.</p>
    </section>`;
  }
  const highlighted = best.map(({ run }) => run.runIndex);
  const chart = (title: string, name: string): Html => {
    const points = curvePoints(data.metrics, data.runs, name);
    const last = best
      .map(
        ({ run }) =>
          `run ${run.runIndex} ends at ${formatMetric(points.filter(({ runIndex }) => runIndex === run.runIndex).at(-1)?.value)}`,
      )
      .join(', ');
    const description = `${title} by epoch for ${data.runs.length} runs; ${last}.`;
    const isAccuracy = name.endsWith('accuracy');
    return html`<figure>
      <figcaption><h3>${title}</h3></figcaption>
      ${renderChart({ title, description, points, highlighted, isAccuracy })}
    </figure>`;
  };
  const hasRest = data.runs.length > best.length;
  return html`<section aria-labelledby="curves">
    <h2 id="curves">Learning curves</h2>
    <p>Epochs of fine-tuning are numbered after those of the head.</p>
    <ul class="legend">
      ${best.map(({ run, rank }, place) => {
        const parameters = formatParameters(run.parameters, run.variedNames);
        return html`<li class="swatch-${place + 1}">
          Run ${run.runIndex}, rank ${rank}${parameters === '' ? '' : ` (${parameters})`}
        </li>`;
      })}${hasRest ? html`<li class="swatch-rest">the others</li>` : null}
    </ul>
    <div class="columns">
      ${chart('Validation loss', 'val_loss')}${chart('Training loss', 'loss')}
      ${chart('Validation accuracy', 'val_accuracy')}${chart('Training accuracy', 'accuracy')}
    </div>
  </section>`;
}
