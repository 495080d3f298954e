import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeRunTroubles } from '../describe/attempt-text.ts';
import { describeForecast } from '../describe/plan-text.ts';
import { describeSweep, describeSweeps } from '../describe/sweep-text.ts';
import { writeResult } from '../terminal/output.ts';
import { requireSuccess } from './require-success.ts';
import type { StrictFlag } from './require-success.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft sweep list`. */
export interface ListSweepsFlags {
  readonly tag?: string;
}

/** `graft sweep list`. */
export async function listSweeps(context: CliContext, options: GlobalOptions, { tag }: ListSweepsFlags): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweeps = await client.listSweeps({ tag });
    writeResult(context, options, sweeps, () =>
      sweeps.length === 0 && tag !== undefined ? `No sweep has the tag '${tag}'.` : describeSweeps(sweeps),
    );
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
    const parts = [
      describeSweep(sweep, runs),
      describeForecast(forecast, sweep.startTime, sweep.endTime),
      describeRunTroubles(runs),
    ];
    writeResult(context, options, { ...sweep, forecast }, () => parts.filter((part) => part !== '').join('\n\n'));
    if (flags.strict === true) requireSuccess(sweep, flags);
  });
}
