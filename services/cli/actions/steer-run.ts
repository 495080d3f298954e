import { resolveRun } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeRun } from '../describe/run-text.ts';
import { writeResult } from '../terminal/output.ts';
import type { RunFlags } from './show-runs.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft run stop` and `retry`. */
export interface SteerRunFlags extends RunFlags {
  readonly reason: string;
}

/** `graft run stop` and `retry`. */
export async function steerRun(
  context: CliContext,
  options: GlobalOptions,
  action: 'stop' | 'retry',
  handle: string,
  { sweep, reason }: SteerRunFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const runId = await resolveRun(client, handle, sweep);
    const run = await (action === 'stop' ? client.stopRun(runId, reason) : client.retryRun(runId, reason));
    writeResult(context, options, run, () => describeRun(run));
  });
}
