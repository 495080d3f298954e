import type { Command } from 'commander';
import type { Leaderboard } from '../client/types.ts';
import type { CliContext } from '../context.ts';
import { formatInterval, formatMetric, formatParameters } from '../format.ts';
import { writeResult } from '../output.ts';
import { renderTable } from '../table.ts';
import { globalOptions, resolveSweepId, withClient } from './client-command.ts';

/** `graft leaderboard SWEEP`. */
export function addLeaderboardCommand(program: Command, context: CliContext): void {
  program
    .command('leaderboard <sweep>')
    .description('runs ranked by validation, with test results where the sweep allows them')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const leaderboard = await client.getLeaderboard(await resolveSweepId(client, id));
        writeResult(context, options, leaderboard, () => describeLeaderboard(leaderboard));
      });
    });
}

export function describeLeaderboard({ entries, testLookCount }: Leaderboard): string {
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
  return `${table}\n\n${looks} looked at on the test split; ranks come from validation alone.`;
}
