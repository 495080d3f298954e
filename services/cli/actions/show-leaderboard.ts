import { canBeBest } from '../../core/ranking.ts';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeLeaderboard, leaderboardColumns } from '../describe/leaderboard-text.ts';
import { chooseRows, tableWidth } from '../terminal/list.ts';
import type { ListFlags } from '../terminal/list.ts';
import { writeResult } from '../terminal/output.ts';
import { quoted } from '../terminal/quoted.ts';
import { hint } from './hint.ts';
import { withClient } from './with-client.ts';

/** `graft leaderboard`. */
export async function showLeaderboard(
  context: CliContext,
  options: GlobalOptions,
  sweep: string,
  flags: ListFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, sweep);
    const leaderboard = await client.getLeaderboard(sweepId);
    const { objective } = (await client.getSweep(sweepId)).spec;
    const columns = leaderboardColumns(leaderboard.entries, objective.metric);
    const shown = chooseRows(columns, leaderboard.entries, flags);
    const width = tableWidth(context.stdout);
    writeResult(context, options, { ...leaderboard, entries: shown }, () =>
      describeLeaderboard(leaderboard, objective, { shown, flags, width, columns }),
    );
    const [first] = shown;
    if (first === undefined) return;
    const best = quoted(`${sweep}/${first.run.runIndex}`);
    const named = quoted(sweep);
    hint(
      context,
      options,
      `run explain ${best}`,
      `report ${named} -o report.html`,
      ...(leaderboard.entries.some(({ run }) => canBeBest(run)) ? [`checkpoint export ${named} -o model.keras`] : []),
    );
  });
}
