import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { describeLeaderboard } from '../describe/leaderboard-text.ts';
import { writeResult } from '../terminal/output.ts';
import { globalOptions, resolveSweepId, withClient } from './client-command.ts';

/** `graft leaderboard SWEEP`. */
export function addLeaderboardCommand(program: Command, context: CliContext): void {
  program
    .command('leaderboard <sweep>')
    .description('runs ranked by validation, with test results where the sweep allows them')
    .action(async (id: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const sweepId = await resolveSweepId(client, id);
        const leaderboard = await client.getLeaderboard(sweepId);
        const objective = options.output === 'json' ? null : (await client.getSweep(sweepId)).spec.objective;
        writeResult(context, options, leaderboard, () => describeLeaderboard(leaderboard, objective));
      });
    });
}
