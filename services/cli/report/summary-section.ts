import { isBetter } from '../../core/objective.ts';
import { canBeBest, describeTie } from '../../core/ranking.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import { describeOutcomes } from '../describe/sweep-text.ts';
import { formatMetric } from '../terminal/format.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { html, parameterList } from './html.ts';
import type { Html } from './html.ts';
import { count, duration, percent, time } from './numbers.ts';
import { bestEntry, hasEnded } from './report-data.ts';
import type { ReportData } from './report-data.ts';

/** Statement about the best run; a sweep that has not succeeded has no winner. */
interface Verdict {
  readonly label: string;
  readonly value: string;
  readonly note: string;
}

/** Renders the sweep's state, what follows from it, and the main figures. */
export function summarySection(data: ReportData): Html {
  const { sweep } = data;
  const entry = bestEntry(data);
  const test = entry?.testResult ?? null;
  const verdict = verdictOf(data, entry);
  const outcomes = describeOutcomes(sweep);
  const tie = entry === null ? '' : describeTie(sweep.spec.objective, entry.run, data.runs);
  return html`${notices(data, entry)}
    <dl class="headline">
      ${card(verdict.label, verdict.value, [
        entry === null ? verdict.note : parameterList(entry.run.parameters, entry.run.variedNames),
        entry === null ? null : verdict.note,
        tie,
        data.leaderboard.winnerStatement?.sentence ?? null,
        ...(data.leaderboard.winner?.statements ?? []),
      ])}
      ${card(
        'Test accuracy',
        test === null ? 'not tested' : percent(test.accuracy),
        test === null
          ? [hasEnded(sweep) ? null : 'after the last run has ended']
          : [
              `95\u202f%: ${percent(test.accuracyLow)} to ${percent(test.accuracyHigh)}, ${count(test.imageCount, 'image')}`,
            ],
      )}
      ${card(...scoreOf(data, entry))}
      ${card('Runs', String(sweep.runCount), [`${sweep.finishedRunCount} ended${outcomes === '' ? '' : `: ${outcomes}`}`])}
      ${card('Time', duration(durationOf(data)), [hasEnded(sweep) ? null : 'so far'])}
    </dl>`;
}

function card(label: string, value: string, notes: readonly (string | Html | null)[]): Html {
  return html`<div>
    <dt>${label}</dt>
    <dd>
      ${value}${notes.filter((note) => note !== null && note !== '').map((note) => html` <small>${note}</small>`)}
    </dd>
  </div>`;
}

/** Returns the value by which the run won: its score where it was repeated, else its best value; with what is expected on new images. */
function scoreOf(
  { sweep, leaderboard: { winner } }: ReportData,
  entry: LeaderboardRecord | null,
): [string, string, (string | null)[]] {
  const { metric } = sweep.spec.objective;
  const expected = winner?.expectedScore ?? null;
  const onNew = expected === null ? null : `${formatMetric(expected)} expected on new images`;
  if (winner !== null && winner.measurementCount > 1) {
    return [`Mean ${metric}`, formatMetric(winner.score), [`over ${winner.measurementCount} seeds`, onNew]];
  }
  const at = entry === null ? null : `${entry.run.bestStage ?? ''}, epoch ${entry.run.bestEpoch}`;
  return [`Best ${metric}`, formatMetric(entry?.run.bestValue), [at, onNew]];
}

function verdictOf({ sweep, runs }: ReportData, entry: LeaderboardRecord | null): Verdict {
  const { metric } = sweep.spec.objective;
  const value = entry === null ? 'none' : `Run ${entry.run.runIndex}`;
  switch (sweep.state) {
    case 'SUCCEEDED':
      return { label: 'Winner', value, note: entry === null ? `no successful run has a finite ${metric}` : '' };
    case 'FAILED':
      return {
        label: 'Winner',
        value: 'none',
        note: runs.length === 0 ? 'the sweep failed before any run began' : 'no run succeeded',
      };
    case 'CANCELLED':
      return {
        label: 'Best run',
        value,
        note:
          entry === null ? 'no run had succeeded when the sweep was cancelled' : 'no winner: the sweep was cancelled',
      };
    case 'ACTIVE':
    case 'PAUSED':
      return {
        label: 'Best so far',
        value,
        note: entry === null ? `no run has a finite ${metric} yet` : 'may still change',
      };
  }
}

/** Renders what a reader must know before the figures: an unfinished, failed or cancelled sweep, and better runs that failed. */
function notices(data: ReportData, entry: LeaderboardRecord | null): readonly Html[] {
  const { sweep, createTime } = data;
  const reason = sweep.stateReason === '' ? null : html`<pre class="reason">${sweep.stateReason}</pre>`;
  const again = html`<code>${GRAFT} report ${sweep.sweepId} <span class="whole">-o FILE</span></code>`;
  const progress = `${sweep.finishedRunCount} of ${count(sweep.runCount, 'run')} had ended`;
  const notice = (kind: string, title: string, text: Html | string): Html =>
    html`<div class="notice ${kind}">
      <p><strong>${title}</strong> ${text}</p>
      ${kind === 'plain' ? null : reason}
    </div>`;
  const ofState = {
    SUCCEEDED: () => (reason === null ? null : notice('warning', 'With a reservation.', 'The coordinator recorded:')),
    FAILED: () => notice('bad', 'This sweep failed.', 'There is no winner, and nothing was tested.'),
    CANCELLED: () =>
      notice(
        'warning',
        'This sweep was cancelled.',
        `${progress}; the ranking covers what they reached, and ${tested(data.leaderboard)}.`,
      ),
    PAUSED: () =>
      notice(
        'warning',
        'This sweep is paused.',
        html`${progress} at ${time(createTime)}; update this page with ${again}.`,
      ),
    ACTIVE: () =>
      notice(
        'warning',
        'This sweep is still running.',
        html`${progress} at ${time(createTime)}; update this page with ${again}.`,
      ),
  }[sweep.state]();
  const better = betterButFailed(data, entry);
  return [
    ...(ofState === null ? [] : [ofState]),
    ...(better === null
      ? []
      : [notice('plain', `Run ${better.run.runIndex} did not win.`, describeBetter(data, better))]),
  ];
}

/** A cancelled sweep may have been cancelled between its tests: runs of several backbones are tested by several tasks. */
function tested({ testLookCount }: ReportData['leaderboard']): string {
  if (testLookCount === 0) return 'nothing was tested';
  return testLookCount === 1 ? 'one run had been tested' : `${testLookCount} runs had been tested`;
}

/** Returns the best of the runs that had a better value than the best usable run but did not succeed. */
function betterButFailed(
  { sweep, leaderboard }: ReportData,
  entry: LeaderboardRecord | null,
): LeaderboardRecord | null {
  const best = entry?.run.bestValue ?? null;
  const { objective } = sweep.spec;
  return leaderboard.entries.reduce<LeaderboardRecord | null>((found, candidate) => {
    const { bestValue } = candidate.run;
    if (bestValue === null || !Number.isFinite(bestValue) || canBeBest(candidate.run)) return found;
    const isAhead = best === null || isBetter(objective, bestValue, best);
    return isAhead && isBetter(objective, bestValue, found?.run.bestValue ?? null) ? candidate : found;
  }, null);
}

function describeBetter({ sweep }: ReportData, { run }: LeaderboardRecord): Html {
  const { metric } = sweep.spec.objective;
  const at = run.bestStage === null ? '' : ` in ${run.bestStage}, epoch ${run.bestEpoch}`;
  const reason = (run.stateReason.split('\n')[0] ?? '').replace(/\.$/, '');
  const end = run.stage === null ? '' : ` in ${run.stage}`;
  return html`It reached the best ${metric}, ${formatMetric(run.bestValue)}${at}, but is
  ${run.state}${end}${reason === '' ? '' : `: ${reason}`}. Only a run that succeeded can win.`;
}

function durationOf({ sweep, createTime }: ReportData): number {
  const from = sweep.startTime ?? sweep.createTime;
  return Math.max(0, (sweep.endTime ?? createTime).getTime() - from.getTime());
}
