import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeSweep } from '../describe/sweep-text.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/** `graft sweep pause`, `resume` and `cancel`. */
export async function steerSweep(
  context: CliContext,
  options: GlobalOptions,
  action: 'pause' | 'resume' | 'cancel',
  id: string,
  reason: string,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, id);
    const steer = {
      pause: () => client.pauseSweep(sweepId, reason),
      resume: () => client.resumeSweep(sweepId),
      cancel: () => client.cancelSweep(sweepId, reason),
    };
    const changed = await steer[action]();
    writeResult(context, options, changed, () => describeSweep(changed));
  });
}
