import { canBeBest } from '../../core/ranking.ts';
import { firstRunIsBaseline } from '../../core/samplers/baseline.ts';
import { pairedBootstrap } from '../../core/statistics/paired-bootstrap.ts';
import type { PairedComparison } from '../../core/statistics/paired-bootstrap.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { TestResultRecord } from '../../core/records/test-result.ts';
import { formatMetric, formatPercent } from '../terminal/format.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { ReportData, WrongImage } from './report-data.ts';

/** Renders the winner's results on the test split. */
export function testSection(data: ReportData): Html | null {
  const winner = data.leaderboard.entries.find(({ run, testResult }) => testResult !== null && canBeBest(run));
  if (winner === undefined || winner.testResult === null) {
    return html`<section aria-labelledby="test">
      <h2 id="test">On the test split</h2>
      <p>No run has been tested yet.</p>
    </section>`;
  }
  const test = winner.testResult;
  const names = data.dataset?.classNames ?? test.classResults.map(({ className }) => className);
  return html`<section aria-labelledby="test">
      <h2 id="test">Run ${winner.run.runIndex} on the test split</h2>
      <p>
        ${test.correctCount} of ${test.imageCount} images are correct: accuracy ${formatPercent(test.accuracy)}, 95 %
        interval ${formatPercent(test.accuracyLow)} to ${formatPercent(test.accuracyHigh)} (Wilson). Mean loss
        ${formatMetric(test.loss)}${test.rocAuc === null ? '' : `, area under the ROC curve ${formatMetric(test.rocAuc)}`}.
      </p>
      <p>${verdict(data, winner)}</p>
      <div class="columns">${confusionMatrix(test, names)} ${classTable(test)}</div>
    </section>
    ${wrongSection(data, names)}`;
}

/** Compares winner and baseline in one sentence. */
function verdict(data: ReportData, winner: LeaderboardRecord): string {
  const baseline = data.leaderboard.entries.find(({ run }) => run.runIndex === 0);
  if (baseline !== undefined && !firstRunIsBaseline(data.sweep.spec, baseline.run.parameters)) {
    return (
      'There is no baseline to compare it with: the runs are draws, and none of them has the defaults. ' +
      'With variants: [{}] in the sweep file they are trained as run 0.'
    );
  }
  if (baseline === undefined || baseline.run.runId === winner.run.runId) {
    return 'The winner is the baseline (run 0) itself, so there is nothing to compare it with.';
  }
  if (baseline.testResult === null) return 'The baseline (run 0) was not tested.';
  const comparison = compare(data, winner, baseline);
  if (comparison === null) return 'The baseline (run 0) was tested on other images, so the two are not compared.';
  const { difference, interval, winnerOnly, baselineOnly } = comparison;
  const numbers =
    `difference in accuracy ${signed(difference)}, 95 % interval ${signed(interval.low)} to ${signed(interval.high)} ` +
    `(paired bootstrap); images that only run ${winner.run.runIndex} classifies correctly: ${winnerOnly}, only run 0: ${baselineOnly}`;
  if (!comparison.distinguishable) {
    return `Against the baseline (run 0, ${formatPercent(baseline.testResult.accuracy)}): not distinguishable on these images; ${numbers}.`;
  }
  const word = difference > 0 ? 'better' : 'worse';
  return `Against the baseline (run 0, ${formatPercent(baseline.testResult.accuracy)}): ${word}; ${numbers}.`;
}

function compare(data: ReportData, winner: LeaderboardRecord, baseline: LeaderboardRecord): PairedComparison | null {
  const ours = data.predictions.get(winner.run.runId) ?? [];
  const theirs = new Map((data.predictions.get(baseline.run.runId) ?? []).map((one) => [one.path, one]));
  if (ours.length === 0 || ours.length !== theirs.size) return null;
  const pairs = ours.map((one) => ({ one, other: theirs.get(one.path) }));
  if (pairs.some(({ other }) => other === undefined)) return null;
  return pairedBootstrap(
    pairs.map(({ one }) => one.label === one.predictedLabel),
    pairs.map(({ other }) => other?.label === other?.predictedLabel),
    data.sweep.spec.seed,
  );
}

function confusionMatrix(test: TestResultRecord, names: readonly string[]): Html {
  const size = names.length;
  const cell = (row: number, column: number): number => test.confusionMatrix[row * size + column] ?? 0;
  const rowSum = (row: number): number => names.reduce((sum, _, column) => sum + cell(row, column), 0);
  const shade = (row: number, column: number): Html => {
    const share = rowSum(row) === 0 ? 0 : cell(row, column) / rowSum(row);
    return html`<td style="background: rgb(var(--${row === column ? 'good' : 'bad'}) / ${(share * 0.4).toFixed(3)})">
      ${cell(row, column)}
    </td>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
    <table class="matrix">
      <caption>
        Confusion matrix: true class by row, predicted class by column
      </caption>
      <thead>
        <tr>
          <td></td>
          ${names.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${names.map(
          (name, row) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${names.map((_, column) => shade(row, column))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function classTable(test: TestResultRecord): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Results per class">
    <table>
      <caption>
        Per class
      </caption>
      <thead>
        <tr>
          <th scope="col">class</th>
          <th scope="col" class="number">precision</th>
          <th scope="col" class="number">recall</th>
          <th scope="col" class="number">F1</th>
          <th scope="col" class="number">images</th>
        </tr>
      </thead>
      <tbody>
        ${test.classResults.map(
          ({ className, precision, recall, f1, support }) =>
            html`<tr>
              <th scope="row">${className}</th>
              <td class="number">${formatMetric(precision)}</td>
              <td class="number">${formatMetric(recall)}</td>
              <td class="number">${formatMetric(f1)}</td>
              <td class="number">${support}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function wrongSection({ wrongImages, wrongCount }: ReportData, names: readonly string[]): Html | null {
  if (wrongCount === 0) {
    return html`<section aria-labelledby="wrong">
      <h2 id="wrong">Misclassified images</h2>
      <p>There are none.</p>
    </section>`;
  }
  const missing = wrongImages.filter(({ thumbnail }) => thumbnail === null).length;
  const name = (label: number): string => names[label] ?? `class ${label}`;
  const note =
    missing === 0
      ? ''
      : missing === wrongImages.length
        ? ' The images themselves are not on the machine that made this report.'
        : ` ${missing} of them are not on the machine that made this report.`;
  const item = (image: WrongImage): Html =>
    html`<li>
      ${
        image.thumbnail === null
          ? html`<div class="missing">not available</div>`
          : html`<img
              src="${image.thumbnail}"
              alt="Test image ${image.path}: ${name(image.label)}, predicted ${name(image.predictedLabel)}"
            />`
      }
      <strong>${name(image.label)}</strong>, predicted ${name(image.predictedLabel)} with
      ${formatPercent(image.confidence)}<br /><span class="faint">${image.path}</span>
    </li>`;
  return html`<section aria-labelledby="wrong">
    <h2 id="wrong">Most confident mistakes</h2>
    <p>
      ${wrongCount} test images are misclassified;
      ${wrongImages.length === wrongCount ? 'all' : `the ${wrongImages.length} most confident`} are shown.${note}
    </p>
    <ul class="images">
      ${wrongImages.map(item)}
    </ul>
  </section>`;
}

function signed(fraction: number): string {
  return `${fraction < 0 ? '−' : '+'}${formatPercent(Math.abs(fraction))}`;
}
