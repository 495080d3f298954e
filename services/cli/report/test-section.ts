import { hasBaseline } from '../../core/samplers/baseline.ts';
import { pairedBootstrap } from '../../core/statistics/paired-bootstrap.ts';
import type { PairedComparison } from '../../core/statistics/paired-bootstrap.ts';
import { neverFoundClasses } from '../../core/statistics/never-found-classes.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { TestResultRecord } from '../../core/records/test-result.ts';
import { formatMetric } from '../terminal/format.ts';
import { confusionMatrix, confusionTable, MANY_CLASSES } from './confusion-matrix.ts';
import { renderTable } from './data-table.ts';
import { html, wrapping } from './html.ts';
import type { Html } from './html.ts';
import { count, percent, signedPercent } from './numbers.ts';
import { bestEntry, hasEnded } from './report-data.ts';
import type { ReportData, WrongImage } from './report-data.ts';

const OPEN_CLASSES = 15;

/** Renders the results of the best run on the test split; it is the winner of a sweep that has succeeded. */
export function testSection(data: ReportData): Html | null {
  const winner = bestEntry(data);
  if (winner === null || winner.testResult === null) {
    return html`<section aria-labelledby="test">
      <h2 id="test">On the test split</h2>
      <p>${untested(data, winner)}</p>
    </section>`;
  }
  const test = winner.testResult;
  const names = data.dataset?.classNames ?? test.classResults.map(({ className }) => className);
  return html`<section aria-labelledby="test">
      <h2 id="test">Run ${winner.run.runIndex} on the test split</h2>
      <p>
        ${test.correctCount} of ${count(test.imageCount, 'image')} are correct: accuracy ${percent(test.accuracy)}, 95 %
        interval ${percent(test.accuracyLow)} to ${percent(test.accuracyHigh)} (Wilson). Mean loss
        ${formatMetric(test.loss)}${classMetrics(test)}.
      </p>
      <p>${verdict(data, winner)}</p>
      ${neverFound(test)}
      ${
        names.length > MANY_CLASSES
          ? html`${confusionMatrix(test, names)}
              <div class="columns">${confusionTable(test, names)} ${classTable(test)}</div>`
          : html`<div class="columns">${confusionMatrix(test, names)} ${classTable(test)}</div>`
      }
    </section>
    ${wrongSection(data, names)}`;
}

function untested({ sweep, leaderboard }: ReportData, best: LeaderboardRecord | null): string {
  if (leaderboard.testLookCount === 0) return hasEnded(sweep) ? 'No run was tested.' : 'No run has been tested yet.';
  const which = best === null ? 'The best run' : `The best run, run ${best.run.runIndex},`;
  const others = 'the leaderboard has the results of the runs that were';
  return hasEnded(sweep) ? `${which} was not tested; ${others}.` : `${which} has not been tested yet; ${others}.`;
}

/** Returns the figures that do not depend on how many images a class has, as far as they were recorded. */
function classMetrics({ rocAuc, macroF1, balancedAccuracy, classResults }: TestResultRecord): string {
  const mean = classResults.length > 2 ? ' (mean over the classes)' : '';
  const figures: readonly (readonly [string, number | null])[] = [
    [`area under the ROC curve${mean}`, rocAuc],
    ['macro F1', macroF1],
    ['balanced accuracy', balancedAccuracy],
  ];
  return figures.map(([name, value]) => (value === null ? '' : `, ${name} ${formatMetric(value)}`)).join('');
}

/** Names the classes that the winner never predicts correctly; null if there are none. */
function neverFound({ classResults }: TestResultRecord): Html | null {
  const lost = neverFoundClasses(classResults);
  if (lost.length === 0) return null;
  const named = lost.map(({ className, support }) => `${className} (${count(support, 'image')})`);
  return html`<p class="notice warning">
    <strong>Never found:</strong> ${named.join(', ')}. Not one image of
    ${lost.length === 1 ? 'this class' : 'these classes'} is classified correctly.
  </p>`;
}

/** Compares winner and baseline in one sentence. */
function verdict(data: ReportData, winner: LeaderboardRecord): string {
  const baseline = data.leaderboard.entries.find(({ run }) => run.runIndex === 0);
  if (baseline !== undefined && !hasBaseline(data.sweep, baseline.run.parameters)) {
    return (
      'There is no baseline to compare it with: the runs are draws, and none of them has the defaults. ' +
      'With variants: [{}] in the sweep file they are trained as run 0.'
    );
  }
  if (baseline === undefined || baseline.run.runId === winner.run.runId) {
    const who = data.sweep.state === 'SUCCEEDED' ? 'winner' : 'best run';
    return `The ${who} is the baseline (run 0) itself, so there is nothing to compare it with.`;
  }
  if (baseline.testResult === null) return 'The baseline (run 0) was not tested.';
  const comparison = compare(data, winner, baseline);
  if (comparison === null) return 'The baseline (run 0) was tested on other images, so the two are not compared.';
  const { difference, interval, winnerOnly, baselineOnly } = comparison;
  const numbers =
    `difference in accuracy ${signedPercent(difference)}, 95\u202f% interval ${signedPercent(interval.low)} to ${signedPercent(interval.high)} ` +
    `(paired bootstrap); images that only run ${winner.run.runIndex} classifies correctly: ${winnerOnly}, only run 0: ${baselineOnly}`;
  if (!comparison.distinguishable) {
    return `Against the baseline (run 0, ${percent(baseline.testResult.accuracy)}): not distinguishable on these images; ${numbers}.`;
  }
  const word = difference > 0 ? 'better' : 'worse';
  return `Against the baseline (run 0, ${percent(baseline.testResult.accuracy)}): ${word}; ${numbers}.`;
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

function classTable(test: TestResultRecord): Html {
  const isLong = test.classResults.length > MANY_CLASSES;
  const classes = isLong ? [...test.classResults].sort((a, b) => a.f1 - b.f1) : test.classResults;
  return renderTable({
    label: 'Results per class',
    caption: isLong ? 'Per class, lowest F1 first' : 'Per class',
    noun: 'class',
    open: OPEN_CLASSES,
    columns: [
      { title: 'class', names: true },
      { title: 'precision', kind: 'number' },
      { title: 'recall', kind: 'number' },
      { title: 'F1', kind: 'number' },
      { title: 'images', kind: 'number' },
    ],
    rows: classes.map(({ className, precision, recall, f1, support }) => ({
      cells: [wrapping(className), formatMetric(precision), formatMetric(recall), formatMetric(f1), support],
    })),
  });
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
      ${percent(image.confidence)}<br /><span class="faint">${image.path}</span>
    </li>`;
  return html`<section aria-labelledby="wrong">
    <h2 id="wrong">Most confident mistakes</h2>
    <p>
      ${wrongCount === 1 ? 'One test image is misclassified and shown' : `${wrongCount} test images are misclassified; ${wrongImages.length === wrongCount ? 'all' : `the ${wrongImages.length} most confident`} are shown`}.${note}
    </p>
    <ul class="images">
      ${wrongImages.map(item)}
    </ul>
  </section>`;
}
