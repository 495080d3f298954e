import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeRunTroubles } from '../describe/attempt-text.ts';
import { describeForecast } from '../describe/plan-text.ts';
import { describeSweep, sweepColumns } from '../describe/sweep-text.ts';
import { tableWidth } from '../terminal/list.ts';
import type { ListFlags } from '../terminal/list.ts';
import { writeResult } from '../terminal/output.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { requireSuccess } from './require-success.ts';
import type { StrictFlag } from './require-success.ts';
import { withClient } from './with-client.ts';
import { writeList } from './write-list.ts';

/** Flags of `graft sweep list`. */
export interface ListSweepsFlags extends ListFlags {
  readonly tag?: string;
}

/** `graft sweep list`. */
export async function listSweeps(context: CliContext, options: GlobalOptions, flags: ListSweepsFlags): Promise<void> {
  await withClient(context, options, async (client) => {
    const { tag } = flags;
    const sweeps = await client.listSweeps({ tag });
    const none =
      tag === undefined
        ? `There is no sweep yet. Submit one with \`${GRAFT} sweep submit FILE\`.`
        : `No sweep has the tag '${tag}'.`;
    writeList(context, options, { rows: sweeps, columns: sweepColumns(sweeps), flags, none });
  });
}

/** `graft sweep get`. */
export async function getSweep(
  context: CliContext,
  options: GlobalOptions,
  id: string,
  flags: StrictFlag,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, id);
    const sweep = await client.getSweep(sweepId);
    const forecast = await client.getForecast(sweepId);
    const runs = await client.listRuns(sweepId);
    const stated = await client.stateWinner(sweepId);
    const parts = [
      describeSweep(sweep, runs, stated, tableWidth(context.stdout)),
      describeForecast(forecast, sweep.startTime, sweep.endTime),
      describeRunTroubles(runs),
    ];
    writeResult(context, options, { ...sweep, forecast, ...stated }, () =>
      parts.filter((part) => part !== '').join('\n\n'),
    );
    if (flags.strict === true) requireSuccess(sweep, flags);
  });
}
