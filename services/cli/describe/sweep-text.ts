import { describeTie } from '../../core/ranking.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import type { WinnerRecord } from '../../core/records/winner.ts';
import { DEFAULT_PRIORITY } from '../../core/sweep/search-spec.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { Leaderboard } from '../client/client-port.ts';
import { failureLines } from '../terminal/failure-lines.ts';
import { formatMetric, formatTime } from '../terminal/format.ts';
import { wrap } from '../terminal/fitted-table.ts';
import type { ListColumn } from '../terminal/list.ts';
import { renderFacts } from '../terminal/table.ts';
import { annotationFacts } from './annotation-text.ts';
import { describeStrategy, searchFacts } from './search-text.ts';
import { formatTook, tookOf } from './took.ts';
import { winnerLines } from './winner-text.ts';

/** Columns before the values of a sweep's facts. */
const FACT_INDENT = 10;

/** Maximum number of reasons for failures that the end of a sweep lists. */
const REASONS = 8;

/** Counts the ended runs by outcome: `7 succeeded, 2 failed, 1 infeasible`. */
export function describeOutcomes(sweep: SweepRecord): string {
  const counts: readonly (readonly [number, string])[] = [
    [sweep.succeededRunCount, sweep.reusedRunCount === 0 ? 'succeeded' : `succeeded (${sweep.reusedRunCount} reused)`],
    [sweep.stoppedRunCount, 'stopped early'],
    [sweep.cancelledRunCount, 'cancelled'],
    [sweep.failedRunCount, 'failed'],
    [sweep.infeasibleRunCount, 'infeasible'],
  ];
  return counts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(', ');
}

/** Returns the state with the runs that it hides: `SUCCEEDED (2 failed, 1 infeasible)`. */
export function describeState({ state, failedRunCount, infeasibleRunCount }: SweepRecord): string {
  const parts = [
    ...(failedRunCount === 0 ? [] : [`${failedRunCount} failed`]),
    ...(infeasibleRunCount === 0 ? [] : [`${infeasibleRunCount} infeasible`]),
  ];
  return parts.length === 0 ? state : `${state} (${parts.join(', ')})`;
}

/** Returns the best run by the rule of the leaderboard, with the tie-breaker if runs are equal. */
function describeBest(sweep: SweepRecord, runs: readonly RunRecord[]): string {
  if (sweep.bestRunId === null) return '–';
  const { objective } = sweep.spec;
  const best = runs.find(({ runId }) => runId === sweep.bestRunId);
  const tie =
    best === undefined
      ? ''
      : describeTie(
          objective,
          best,
          runs.filter(({ repeatOfRunId }) => repeatOfRunId === null),
        );
  return `${sweep.bestRunId}, ${objective.metric} ${formatMetric(sweep.bestValue)}${tie === '' ? '' : ` (${tie})`}`;
}

/** Statements of the coordinator about the winner. */
type StatedWinner = Pick<Leaderboard, 'winnerStatement' | 'winner'>;

const NOTHING_STATED: StatedWinner = { winnerStatement: null, winner: null };

/** Returns the winner with its score; nothing where the best run has won and nothing else is worth knowing. */
function winnerFacts(winner: WinnerRecord | null, width: number | null): readonly (readonly [string, string])[] {
  if (winner === null || winner.statements.length === 0) return [];
  return [['winner', [`run ${winner.runIndex}`, ...winnerLines(winner, width)].join('\n')]];
}

/**
 * Returns the outcome of an ended sweep: one line, one that compares the best run with the baseline, those on the choice of the winner, and
 * one for each reason for which runs failed.
 */
export function describeEnd(
  sweep: SweepRecord,
  runs: readonly RunRecord[],
  { winnerStatement, winner }: StatedWinner = NOTHING_STATED,
  width: number | null = null,
): string {
  const outcomes = describeOutcomes(sweep);
  const failed = runs.map(({ runIndex, state, stateReason }) => ({ runIndex, state, reason: stateReason }));
  return [
    `Sweep ${sweep.sweepId} ended ${sweep.state}: ${outcomes === '' ? 'no run has ended' : outcomes} of ` +
      `${countOf(sweep.runCount, 'run')}. Best: ${describeBest(sweep, runs)}.`,
    ...(winnerStatement === null ? [] : wrap(escapeControls(winnerStatement.sentence), width)),
    ...winnerLines(winner, width),
    ...failureLines(failed, REASONS),
  ].join('\n');
}

/**
 * Returns the facts of a sweep.
 *
 * @param runs runs of the sweep, to name the tie-breaker between equal runs; may be omitted.
 * @param stated comparison of the best run with the baseline, and the choice of the winner; may be omitted.
 * @param width of the terminal; null: unlimited.
 */
export function describeSweep(
  sweep: SweepRecord,
  runs: readonly RunRecord[] = [],
  { winnerStatement, winner }: StatedWinner = NOTHING_STATED,
  width: number | null = null,
): string {
  const { spec } = sweep;
  const outcomes = describeOutcomes(sweep);
  const facts: (readonly [string, string])[] = [
    ['sweep', sweep.sweepId],
    ['name', sweep.displayName],
    ...annotationFacts(sweep),
    ['state', describeState(sweep) + (sweep.stateReason === '' ? '' : `: ${sweep.stateReason}`)],
    [
      'runs',
      `${sweep.finishedRunCount} of ${sweep.runCount} ended${outcomes === '' ? '' : `: ${outcomes}`}${sweep.pausedRunCount === 0 ? '' : `; ${sweep.pausedRunCount} paused at a rung`}`,
    ],
    ['best', describeBest(sweep, runs)],
    ...winnerFacts(winner, width && width - FACT_INDENT),
    ...(winnerStatement === null
      ? []
      : [
          [
            'baseline',
            wrap(escapeControls(winnerStatement.sentence), width && width - FACT_INDENT).join('\n'),
          ] as const,
        ]),
    ['data', spec.dataset.path + (sweep.datasetId === null ? '' : ` (${sweep.datasetId})`)],
    ['strategy', describeStrategy(sweep)],
    ['seed', String(spec.seed)],
    ...searchFacts(sweep),
    ['test', spec.testPolicy === 'winner' ? 'winner and baseline' : 'every run'],
    ['created', formatTime(sweep.createTime)],
    ['started', formatTime(sweep.startTime)],
    ['ended', formatTime(sweep.endTime)],
  ];
  if (tookOf(sweep) !== null) facts.push(['took', formatTook(sweep)]);
  return renderFacts(facts);
}

/** Columns of a list of sweeps, some of which are shown only if `--columns` names them. */
export function sweepColumns(sweeps: readonly SweepRecord[]): readonly ListColumn<SweepRecord>[] {
  return [
    { name: 'sweep', title: 'sweep', rank: 0, cell: ({ sweepId }) => sweepId },
    { name: 'name', title: 'name', rank: 10, minWidth: 12, cell: ({ displayName }) => displayName },
    { name: 'state', title: 'state', rank: 5, cell: describeState },
    {
      name: 'runs',
      title: 'runs',
      align: 'right',
      rank: 20,
      cell: (sweep) => `${sweep.finishedRunCount}/${sweep.runCount}`,
      key: ({ runCount }) => runCount,
    },
    { name: 'objective', title: 'objective', rank: 50, cell: ({ spec }) => spec.objective.metric },
    {
      name: 'best',
      title: 'best',
      align: 'right',
      rank: 30,
      cell: ({ bestValue }) => formatMetric(bestValue),
      key: ({ bestValue }) => bestValue,
    },
    {
      name: 'created',
      title: 'created',
      rank: 40,
      cell: ({ createTime }) => formatTime(createTime),
      key: ({ createTime }) => createTime.getTime(),
    },
    {
      name: 'tags',
      title: 'tags',
      rank: 60,
      minWidth: 8,
      cell: ({ tags }) => tags.join(' '),
      isExtra: sweeps.every(({ tags }) => tags.length === 0),
    },
    {
      name: 'notes',
      title: 'notes',
      rank: 70,
      minWidth: 8,
      cell: ({ notes }) => notes.replaceAll('\n', ' '),
      isExtra: true,
    },
    { name: 'data', title: 'data', rank: 70, minWidth: 12, cell: ({ spec }) => spec.dataset.path, isExtra: true },
    { name: 'strategy', title: 'strategy', rank: 70, cell: ({ spec }) => spec.strategy, isExtra: true },
    {
      name: 'priority',
      title: 'priority',
      align: 'right',
      rank: 70,
      cell: ({ priority }) => String(priority),
      key: ({ priority }) => priority,
      isExtra: sweeps.every(({ priority }) => priority === DEFAULT_PRIORITY),
    },
    {
      name: 'took',
      title: 'took',
      align: 'right',
      rank: 70,
      cell: (sweep) => formatTook(sweep),
      key: tookOf,
      isExtra: true,
    },
  ];
}
