import type { Objective } from '../../core/objective.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { canBeBest, describeTie } from '../../core/ranking.ts';
import type { LeaderboardRecord } from '../../core/records/leaderboard.ts';
import type { TestResultRecord } from '../../core/records/test-result.ts';
import type { Leaderboard } from '../client/client-port.ts';
import { formatInterval, formatMetric } from '../terminal/format.ts';
import { wrap } from '../terminal/fitted-table.ts';
import { renderList } from '../terminal/list.ts';
import type { ListColumn, ListFlags } from '../terminal/list.ts';
import { runColumns } from './run-columns.ts';
import { neverFoundNote } from './test-text.ts';
import { winnerLines } from './winner-text.ts';

/** Columns of a leaderboard: the rank, the columns of runs, the test result. */
export function leaderboardColumns(
  entries: readonly LeaderboardRecord[],
  metric: string | null,
): readonly ListColumn<LeaderboardRecord>[] {
  const isTested = entries.some(({ testResult }) => testResult !== null);
  const runs = entries.map(({ run }) => run);
  const ofRuns = runColumns(runs, metric).map((column): ListColumn<LeaderboardRecord> => {
    const { cell, key, ...rest } = column;
    return {
      ...rest,
      cell: ({ run }) => cell(run),
      ...(key === undefined ? {} : { key: ({ run }) => key(run) }),
    };
  });
  const beforeParameters = ofRuns.findIndex(({ name }) => name === 'best_epoch') + 1;
  return [
    {
      name: 'rank',
      title: 'rank',
      align: 'right',
      rank: -1,
      cell: ({ rank }) => String(rank),
      key: ({ rank }) => rank,
    },
    ...ofRuns.slice(0, beforeParameters),
    {
      name: 'test_accuracy',
      title: 'test accuracy (95 %)',
      rank: 27,
      cell: ({ testResult: test }) =>
        test === null ? '' : formatInterval(test.accuracy, test.accuracyLow, test.accuracyHigh),
      key: ({ testResult }) => testResult?.accuracy ?? null,
      isExtra: !isTested,
    },
    testColumn('test_macro_f1', 'test macro F1', ({ macroF1 }) => macroF1),
    testColumn('test_balanced_accuracy', 'test balanced accuracy', ({ balancedAccuracy }) => balancedAccuracy),
    testColumn('test_auc', 'test AUC', ({ rocAuc }) => rocAuc),
    ...ofRuns.slice(beforeParameters),
  ];
}

/** A column that is shown on request (`--columns`). */
function testColumn(
  name: string,
  title: string,
  valueOf: (test: TestResultRecord) => number | null,
): ListColumn<LeaderboardRecord> {
  const key = ({ testResult }: LeaderboardRecord): number | null => (testResult === null ? null : valueOf(testResult));
  return { name, title, align: 'right', rank: 16, isExtra: true, key, cell: (entry) => formatMetric(key(entry)) };
}

/**
 * Returns the leaderboard as a table.
 *
 * @param objective objective of the sweep, to name the tie-breaker of the first rank; null: omit that note.
 * @param shown entries that `--sort` and `--top` choose.
 * @param columns columns of the table; default: those of all entries.
 */
export function describeLeaderboard(
  { entries, testLookCount, winnerStatement, winner }: Leaderboard,
  objective: Objective | null,
  {
    shown = entries,
    flags = {},
    width = null,
    columns = leaderboardColumns(entries, objective?.metric ?? null),
  }: {
    readonly shown?: readonly LeaderboardRecord[];
    readonly flags?: ListFlags;
    readonly width?: number | null;
    readonly columns?: readonly ListColumn<LeaderboardRecord>[];
  } = {},
): string {
  if (entries.length === 0) return 'The sweep has no runs yet.';
  const table = renderList(columns, shown, {
    flags,
    total: entries.length,
    width,
  });
  const tested = testLookCount === 1 ? 'One run was' : `${testLookCount} runs were`;
  return [
    `${table}\n`,
    ...tieNote(entries, objective),
    ...(winnerStatement === null ? [] : wrap(escapeControls(winnerStatement.sentence), width)),
    ...winnerLines(winner, width),
    `${tested} tested on the test split; ranks come from validation alone.`,
    ...neverFoundNote(entries),
  ].join('\n');
}

/** Returns a line that names the tie-breaker between the first run and others of equal value. */
function tieNote(entries: Leaderboard['entries'], objective: Objective | null): readonly string[] {
  const [first] = entries;
  if (first === undefined || objective === null || !canBeBest(first.run)) return [];
  const tie = describeTie(
    objective,
    first.run,
    entries.map(({ run }) => run),
  );
  return tie === '' ? [] : [`Rank 1: ${tie}.`];
}
