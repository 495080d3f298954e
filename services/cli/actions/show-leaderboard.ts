import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeLeaderboard } from '../describe/leaderboard-text.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/** `graft leaderboard`. */
export async function showLeaderboard(context: CliContext, options: GlobalOptions, sweep: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, sweep);
    const leaderboard = await client.getLeaderboard(sweepId);
    const objective = options.output === 'json' ? null : (await client.getSweep(sweepId)).spec.objective;
    writeResult(context, options, leaderboard, () => describeLeaderboard(leaderboard, objective));
  });
}
