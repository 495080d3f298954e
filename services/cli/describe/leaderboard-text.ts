import type { Objective } from '../../core/objective.ts';
import { canBeBest, describeTie } from '../../core/ranking.ts';
import type { Leaderboard } from '../client/client-port.ts';
import { formatInterval, formatMetric, formatParameters } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';

/**
 * Returns the leaderboard as a table.
 *
 * @param objective objective of the sweep, to name the tie-breaker of the first rank; null: omit that note.
 */
export function describeLeaderboard({ entries, testLookCount }: Leaderboard, objective: Objective | null): string {
  if (entries.length === 0) return 'The sweep has no runs yet.';
  const table = renderTable(
    [
      { title: 'rank', align: 'right' },
      { title: 'run', align: 'right' },
      { title: 'state' },
      { title: 'val_loss', align: 'right' },
      { title: 'val_acc', align: 'right' },
      { title: 'best epoch' },
      { title: 'test accuracy (95 %)' },
      { title: 'parameters' },
    ],
    entries.map(({ rank, run, testResult }) => [
      String(rank),
      String(run.runIndex),
      run.state,
      formatMetric(run.bestValLoss),
      formatMetric(run.bestValAccuracy),
      run.bestValue === null ? '' : `${run.bestStage ?? ''} ${run.bestEpoch}`,
      testResult === null ? '' : formatInterval(testResult.accuracy, testResult.accuracyLow, testResult.accuracyHigh),
      formatParameters(run.parameters, run.variedNames),
    ]),
  );
  const tested = testLookCount === 1 ? 'One run was' : `${testLookCount} runs were`;
  return [
    `${table}\n`,
    ...tieNote(entries, objective),
    `${tested} tested on the test split; ranks come from validation alone.`,
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
