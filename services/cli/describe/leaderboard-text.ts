import type { Objective } from '../../core/objective.ts';
import { canBeBest, describeTie } from '../../core/ranking.ts';
import type { Leaderboard } from '../client/client-port.ts';
import { formatInterval, formatMetric, formatParameters } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';

/** @param objective of the sweep; null: what decided between equal runs is not said. */
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
  const looks = testLookCount === 1 ? 'One run was' : `${testLookCount} runs were`;
  return [
    `${table}\n`,
    ...tieNote(entries, objective),
    `${looks} looked at on the test split; ranks come from validation alone.`,
  ].join('\n');
}

/** What decided between the first run and others of the same value. */
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
