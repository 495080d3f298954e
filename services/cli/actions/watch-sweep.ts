import type { SweepRecord } from '../../core/records/sweep.ts';
import type { GraftClient } from '../client/client-port.ts';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeEnd } from '../describe/sweep-text.ts';
import { createDisplay, JsonDisplay } from '../progress/displays.ts';
import { followSweep } from '../progress/follow-sweep.ts';
import { tableWidth } from '../terminal/list.ts';
import { InterruptedError } from '../terminal/cli-errors.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { hint } from './hint.ts';
import { requireSuccess } from './require-success.ts';
import type { StrictFlag } from './require-success.ts';
import { withClient } from './with-client.ts';

/** `graft sweep watch`. */
export async function watchSweep(
  context: CliContext,
  options: GlobalOptions,
  id: string,
  flags: StrictFlag,
): Promise<void> {
  await withClient(context, options, async (client) => {
    requireSuccess(await watchToEnd(context, options, client, await resolveSweep(client, id)), flags);
  });
}

/**
 * Shows a sweep's progress until it ends, then its outcome.
 *
 * @throws InterruptedError after Ctrl-C; the sweep continues.
 */
export async function watchToEnd(
  context: CliContext,
  options: GlobalOptions,
  client: GraftClient,
  sweepId: string,
): Promise<SweepRecord> {
  const sweep = await showProgress(context, options, client, sweepId);
  if (options.output !== 'json') {
    const [runs, stated] = await Promise.all([client.listRuns(sweepId), client.stateWinner(sweepId)]);
    context.stdout.write(`${describeEnd(sweep, runs, stated, tableWidth(context.stdout))}\n`);
  }
  if (sweep.bestRunId !== null) {
    hint(context, options, `leaderboard ${sweepId}`, `report ${sweepId} -o report.html`);
  }
  return sweep;
}

async function showProgress(
  context: CliContext,
  options: GlobalOptions,
  client: GraftClient,
  sweepId: string,
): Promise<SweepRecord> {
  const { stdout, env } = context;
  const display =
    options.output === 'json'
      ? new JsonDisplay(stdout)
      : createDisplay(stdout, env, 'Ctrl-C ends this display; the sweep continues.');
  try {
    return await followSweep(client, sweepId, display, context.signal);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new InterruptedError(`Sweep ${sweepId} continues. Watch it again:  ${GRAFT} sweep watch ${sweepId}`);
  } finally {
    display.close();
  }
}
