import { InterruptedError } from '../terminal/cli-errors.ts';
import type { GraftClient, Sweep } from '../client/types.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeEnd } from '../describe/sweep-text.ts';
import { createDisplay, JsonDisplay } from '../progress/displays.ts';
import { followSweep } from '../progress/follow-sweep.ts';
import { GRAFT } from '../terminal/program-name.ts';

/**
 * Shows a sweep's progress until it ends, then what came of it.
 *
 * @throws InterruptedError after Ctrl-C; the sweep goes on.
 */
export async function watchToEnd(
  context: CliContext,
  options: GlobalOptions,
  client: GraftClient,
  sweepId: string,
): Promise<Sweep> {
  const sweep = await showProgress(context, options, client, sweepId);
  const runs = await client.listRuns(sweepId);
  if (options.output !== 'json') context.stdout.write(`${describeEnd(sweep, runs)}\n`);
  return sweep;
}

async function showProgress(
  context: CliContext,
  options: GlobalOptions,
  client: GraftClient,
  sweepId: string,
): Promise<Sweep> {
  const { stdout, env } = context;
  const display =
    options.output === 'json'
      ? new JsonDisplay(stdout)
      : createDisplay({ stream: stdout, colour: (env['NO_COLOR'] ?? '') === '' });
  try {
    return await followSweep(client, sweepId, display, context.signal);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new InterruptedError(`Sweep ${sweepId} goes on. Watch it again:  ${GRAFT} sweep watch ${sweepId}`);
  } finally {
    display.close();
  }
}
