import { formatDuration, formatMetric, formatParameters, formatPercent, formatTime } from '../terminal/format.ts';
import { countProblems, SPLITS } from '../../core/dataset.ts';
import { canBeBest, describeTie } from '../../core/ranking.ts';
import { describeOutcomes, describeState } from '../describe/sweep-text.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { ReportData } from './report-data.ts';
import { planSection } from './plan-section.ts';
import { curvesSection, leaderboardSection } from './runs-section.ts';
import { STYLES } from './styles.ts';
import { testSection } from './test-section.ts';

const SHOWN_PROBLEMS = 20;

/** Renders one self-contained page: no script, no network request. */
export function renderReport(data: ReportData): string {
  const { sweep } = data;
  const title = sweep.spec.displayName === '' ? `Sweep ${sweep.sweepId}` : sweep.spec.displayName;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} – Graft report</title>
        <style>
          ${STYLES}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          <p class="faint">
            Sweep ${sweep.sweepId} · ${describeState(sweep)}${sweep.stateReason === '' ? '' : `: ${sweep.stateReason}`}
          </p>
          ${headline(data)}
        </header>
        <main>
          ${sweepSection(data)} ${leaderboardSection(data)} ${curvesSection(data)} ${testSection(data)}
          ${planSection(data)}
        </main>
        <footer>
          <p>Made by Graft on ${formatTime(data.createTime)}. Ranks come from the validation split alone.</p>
        </footer>
      </body>
    </html> `;
  return page.text;
}

/** Returns the winner's entry: the best by validation, as in the sweep's `best_run_id`; null before the first validation. */
function winnerOf(data: ReportData): LeaderboardRecord | null {
  return data.leaderboard.entries.find(({ run }) => canBeBest(run)) ?? null;
}

function tieOf({ sweep, runs }: ReportData, winner: LeaderboardRecord | null): string {
  return winner === null ? '' : describeTie(sweep.spec.objective, winner.run, runs);
}

function headline(data: ReportData): Html {
  const winner = winnerOf(data);
  const test = winner?.testResult ?? null;
  const { sweep } = data;
  const outcomes = describeOutcomes(sweep);
  const varied = winner === null ? '' : formatParameters(winner.run.parameters, winner.run.variedNames);
  return html`<dl class="headline">
    <div>
      <dt>Winner</dt>
      <dd>
        ${winner === null ? '–' : `Run ${winner.run.runIndex}`}<small>${varied}</small
        ><small>${tieOf(data, winner)}</small>
      </dd>
    </div>
    <div>
      <dt>Test accuracy</dt>
      <dd>
        ${test === null ? 'not tested' : formatPercent(test.accuracy)}<small
          >${
            test === null
              ? ''
              : `95 %: ${formatPercent(test.accuracyLow)} to ${formatPercent(test.accuracyHigh)}, ${test.imageCount} images`
          }</small
        >
      </dd>
    </div>
    <div>
      <dt>Best ${sweep.spec.objective.metric}</dt>
      <dd>
        ${formatMetric(sweep.bestValue)}<small
          >${winner === null ? '' : `${winner.run.bestStage ?? ''}, epoch ${winner.run.bestEpoch}`}</small
        >
      </dd>
    </div>
    <div>
      <dt>Runs</dt>
      <dd>${sweep.runCount}<small>${sweep.finishedRunCount} ended${outcomes === '' ? '' : `: ${outcomes}`}</small></dd>
    </div>
    <div>
      <dt>Time</dt>
      <dd>${formatDuration(durationOf(data))}</dd>
    </div>
  </dl>`;
}

function sweepSection(data: ReportData): Html {
  const { sweep, dataset } = data;
  const { spec } = sweep;
  const varied = [...new Set(data.runs.flatMap(({ variedNames }) => variedNames))];
  const first = data.runs[0];
  const shared = first === undefined ? [] : Object.keys(first.parameters).filter((name) => !varied.includes(name));
  const facts: readonly (readonly [string, string])[] = [
    ['Data', spec.dataset.path],
    ['Data digest', dataset?.digest ?? 'not indexed yet'],
    ['Objective', `${spec.objective.metric}, ${spec.objective.goal}`],
    ['Strategy', `${spec.strategy}${spec.maxRuns === null ? '' : `, at most ${spec.maxRuns} runs`}`],
    ['Varied', varied.length === 0 ? 'nothing' : varied.join(', ')],
    ['Seed', String(spec.seed)],
    ['Submitted', formatTime(sweep.createTime)],
    ['Ended', formatTime(sweep.endTime)],
  ];
  return html`<section aria-labelledby="sweep">
    <h2 id="sweep">The sweep</h2>
    <div class="columns">
      <dl class="facts">
        ${facts.map(
          ([name, value]) =>
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>
      ${imageCounts(data)}
    </div>
    ${problemsOf(data)}
    <details>
      <summary>What all runs have</summary>
      <p>${first === undefined ? '' : formatParameters(first.parameters, shared)}</p>
    </details>
  </section>`;
}

function imageCounts({ dataset }: ReportData): Html | null {
  if (dataset === null) return null;
  const count = (split: string, className: string): number =>
    dataset.classCounts.find((row) => row.split === split && row.className === className)?.imageCount ?? 0;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Images per class and split">
    <table>
      <caption>
        Images
      </caption>
      <thead>
        <tr>
          <th scope="col">class</th>
          ${SPLITS.map((split) => html`<th scope="col" class="number">${split}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${dataset.classNames.map(
          (name) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${SPLITS.map((split) => html`<td class="number">${count(split, name)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Renders the non-fatal problems that indexing found; duplicates across splits inflate the test accuracy. */
function problemsOf({ dataset }: ReportData): Html | null {
  if (dataset === null || dataset.problems.length === 0) return null;
  const count = countProblems(dataset.problems);
  const shown = dataset.problems.slice(0, SHOWN_PROBLEMS);
  const rest = count - countProblems(shown);
  return html`<details open>
    <summary>
      ${count === 1 ? 'One problem' : `${String(count)} problems`} of the data that did not stop the sweep
    </summary>
    <ul>
      ${shown.map(({ code, message }) => html`<li>${code}: ${message}</li>`)}
      ${rest > 0 ? html`<li>… and ${rest} more: table <code>sweeps</code>, <code>dataset_problems</code></li>` : null}
    </ul>
  </details>`;
}

function durationOf({ sweep, createTime }: ReportData): number {
  const from = sweep.startTime ?? sweep.createTime;
  return (sweep.endTime ?? createTime).getTime() - from.getTime();
}
