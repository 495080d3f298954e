import { canBeBest } from '../../core/ranking.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import { isTerminalRunState } from '../../core/states/run-state.ts';
import { formatBytes, formatMetric, formatValue } from '../terminal/format.ts';
import { renderTable } from './data-table.ts';
import type { Column } from './data-table.ts';
import { NOT_SET } from './effects.ts';
import { breakable, html, tagList, wrapping } from './html.ts';
import type { Html, Part } from './html.ts';
import { valueInInterval } from './numbers.ts';
import { renderProgress } from './progress-chart.ts';
import { bestEntry, titleOfMetric } from './report-data.ts';
import type { ReportData } from './report-data.ts';

/** Rows that are open; a longer leaderboard is folded. */
const OPEN_ROWS = 15;

/** A column of the leaderboard, and its cell of an entry. */
type EntryColumn = readonly [Column, (entry: LeaderboardRecord) => Part];

/** Renders the ranking by validation and its course. */
export function leaderboardSection(data: ReportData): Html {
  const { leaderboard, runs, sweep } = data;
  const { metric } = sweep.spec.objective;
  // A column with SUCCEEDED in every row would only take space from the parameters.
  const hasStates = runs.some(({ state }) => state !== 'SUCCEEDED');
  const columns = columnsOf(data, hasStates);
  const hasWinner = sweep.state === 'SUCCEEDED';
  const best = bestEntry(data);
  return html`<section aria-labelledby="leaderboard">
    <h2 id="leaderboard">Leaderboard</h2>
    <p>
      Ranked by
      ${titleOfMetric(metric).replace(/^./, (letter) => letter.toLowerCase())}${hasStates ? '' : '; all runs succeeded'}${leaderboard.entries.some(({ run }) => !canBeBest(run)) ? '; runs without a usable result are last' : ''}.
      ${testLooks(leaderboard.testLookCount, runs.length)}
    </p>
    ${renderTable({
      label: 'Leaderboard',
      noun: 'run',
      open: OPEN_ROWS,
      columns: columns.map(([column]) => column),
      rows: leaderboard.entries.map((entry) => ({
        cells: columns.map(([, cellOf]) => cellOf(entry)),
        ...(hasWinner && entry.run.runId === best?.run.runId ? { kind: 'winner' } : {}),
      })),
    })}
    ${renderProgress(sweep, runs)}
  </section>`;
}

function columnsOf({ leaderboard, runs, sweep }: ReportData, hasStates: boolean): readonly EntryColumn[] {
  const varied = [...new Set(runs.flatMap(({ variedNames }) => variedNames))];
  const { metric } = sweep.spec.objective;
  const own: readonly string[] = ['val_loss', 'val_accuracy'];
  const columns: readonly (EntryColumn | null)[] = [
    [{ title: 'rank', kind: 'number' }, ({ rank, run }) => (canBeBest(run) ? rank : '–')],
    [{ title: 'run', kind: 'number', names: true }, ({ run }) => run.runIndex],
    hasStates ? [{ title: 'state', kind: 'short' }, stateOf] : null,
    own.includes(metric) ? null : [{ title: metric, kind: 'number' }, ({ run }) => formatMetric(run.bestValue)],
    [{ title: 'val_loss', kind: 'number' }, ({ run }) => formatMetric(run.bestValLoss)],
    [{ title: 'val_accuracy', kind: 'number' }, ({ run }) => formatMetric(run.bestValAccuracy)],
    [
      { title: 'best epoch', kind: 'short' },
      ({ run }) => (run.bestValue === null ? '–' : `${run.bestStage ?? ''} ${run.bestEpoch}`),
    ],
    runs.some(({ score }) => score !== null) ? [{ title: `mean ${metric}`, kind: 'number' }, scoreOf] : null,
    leaderboard.testLookCount > 0 ? [{ title: 'test accuracy (95\u202f%)', kind: 'short' }, testAccuracyOf] : null,
    ...varied.map((name): EntryColumn => [
      { title: breakable(name), kind: 'parameter' },
      ({ run: { parameters } }) =>
        Object.hasOwn(parameters, name)
          ? wrapping(formatValue(parameters[name]))
          : html`<span class="faint">${NOT_SET}</span>`,
    ]),
    hasModelSizes(runs) ? [{ title: 'model', kind: 'number', optional: true }, modelSizeOf] : null,
    [{ title: 'tags', kind: 'medium', optional: true }, ({ run }) => tagList(run.tags) ?? ''],
    [
      { title: 'notes', kind: 'wide', optional: true },
      ({ run }) => (run.notes === '' ? '' : html`<span class="lines">${run.notes}</span>`),
    ],
  ];
  return columns.filter((column) => column !== null);
}

/** Returns whether the models differ in size, so that a column of it says something. */
function hasModelSizes(runs: ReportData['runs']): boolean {
  return new Set(runs.map(({ modelBytes }) => modelBytes)).size > 1;
}

function modelSizeOf({ run: { modelBytes } }: LeaderboardRecord): string {
  return modelBytes === null ? '–' : formatBytes(modelBytes);
}

function stateOf(entry: LeaderboardRecord): Html {
  const { state } = entry.run;
  return stateBadge(state, isTerminalRunState(state) ? '' : progressOf(entry));
}

function testAccuracyOf({ testResult }: LeaderboardRecord): Part {
  if (testResult === null) return '';
  return valueInInterval(testResult.accuracy, testResult.accuracyLow, testResult.accuracyHigh);
}

/** Renders the mean over the seeds of a run that was repeated. */
function scoreOf({ run: { score, measurementCount } }: LeaderboardRecord): Part {
  return score === null
    ? ''
    : html`${formatMetric(score)} <span class="faint">${`${measurementCount}\u202fseeds`}</span>`;
}

/** Renders a state in its colour, with its name. */
export function stateBadge(state: string, detail = ''): Html {
  return html`<span class="state state-${state.toLowerCase()}">${state}</span
    >${detail === '' ? null : html` <span class="faint">${detail}</span>`}`;
}

function progressOf({ run }: LeaderboardRecord): string {
  return run.epochLimit === 0 ? '' : `${run.stage ?? ''} ${run.epochCount}/${run.epochLimit}`;
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
