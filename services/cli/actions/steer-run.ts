import { resolveRun } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeRun } from '../describe/run-text.ts';
import { writeResult } from '../terminal/output.ts';
import type { RunFlags } from './show-runs.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft run stop`. */
export interface StopRunFlags extends RunFlags {
  readonly reason: string;
}

/** `graft run stop`. */
export async function stopRun(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  { sweep, reason }: StopRunFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const run = await client.stopRun(await resolveRun(client, handle, sweep), reason);
    writeResult(context, options, run, () => describeRun(run));
  });
}
