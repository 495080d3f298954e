import { canBeBest } from '../../core/ranking.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import { isTerminalRunState } from '../../core/states/run-state.ts';
import { formatMetric, formatValue } from '../terminal/format.ts';
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

/** Renders the ranking by validation and its course. */
export function leaderboardSection(data: ReportData): Html {
  const { leaderboard, runs, sweep } = data;
  const varied = [...new Set(runs.flatMap(({ variedNames }) => variedNames))];
  const { metric } = sweep.spec.objective;
  const isTested = leaderboard.testLookCount > 0;
  // A column with SUCCEEDED in every row would only take space from the parameters.
  const hasStates = runs.some(({ state }) => state !== 'SUCCEEDED');
  const hasWinner = sweep.state === 'SUCCEEDED';
  const own: readonly string[] = ['val_loss', 'val_accuracy'];
  const columns: readonly Column[] = [
    { title: 'rank', kind: 'number' },
    { title: 'run', kind: 'number', names: true },
    ...(hasStates ? [{ title: 'state', kind: 'short' } as const] : []),
    ...(own.includes(metric) ? [] : [{ title: metric, kind: 'number' } as const]),
    { title: 'val_loss', kind: 'number' },
    { title: 'val_accuracy', kind: 'number' },
    { title: 'best epoch', kind: 'short' },
    ...(isTested ? [{ title: 'test accuracy (95\u202f%)', kind: 'short' } as const] : []),
    ...varied.map((name) => ({ title: breakable(name), kind: 'parameter' }) as const),
    { title: 'tags', kind: 'medium', optional: true },
    { title: 'notes', kind: 'wide', optional: true },
  ];
  const best = bestEntry(data);
  const rowOf = (entry: LeaderboardRecord): readonly Part[] => {
    const { rank, run, testResult } = entry;
    return [
      canBeBest(run) ? rank : '–',
      run.runIndex,
      ...(hasStates ? [stateBadge(run.state, isTerminalRunState(run.state) ? '' : progressOf(entry))] : []),
      ...(own.includes(metric) ? [] : [formatMetric(run.bestValue)]),
      formatMetric(run.bestValLoss),
      formatMetric(run.bestValAccuracy),
      run.bestValue === null ? '–' : `${run.bestStage ?? ''} ${run.bestEpoch}`,
      ...(isTested
        ? [
            testResult === null
              ? ''
              : valueInInterval(testResult.accuracy, testResult.accuracyLow, testResult.accuracyHigh),
          ]
        : []),
      ...varied.map((name) =>
        Object.hasOwn(run.parameters, name)
          ? wrapping(formatValue(run.parameters[name]))
          : html`<span class="faint">${NOT_SET}</span>`,
      ),
      tagList(run.tags) ?? '',
      run.notes === '' ? '' : html`<span class="lines">${run.notes}</span>`,
    ];
  };
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
      columns,
      rows: leaderboard.entries.map((entry) => ({
        cells: rowOf(entry),
        ...(hasWinner && entry.run.runId === best?.run.runId ? { kind: 'winner' } : {}),
      })),
    })}
    ${renderProgress(sweep, runs)}
  </section>`;
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
