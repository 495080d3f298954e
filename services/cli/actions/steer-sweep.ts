import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { deletionContents, describeDeletion } from '../describe/deletion-text.ts';
import { describeSweep } from '../describe/sweep-text.ts';
import { confirm } from '../terminal/confirm.ts';
import { say, writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/** `graft sweep pause`, `resume`, `cancel` and `kill`. */
export async function steerSweep(
  context: CliContext,
  options: GlobalOptions,
  action: 'pause' | 'resume' | 'cancel' | 'kill',
  id: string,
  reason: string,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, id);
    const steer = {
      pause: () => client.pauseSweep(sweepId, reason),
      resume: () => client.resumeSweep(sweepId),
      cancel: () => client.cancelSweep(sweepId, reason),
      kill: () => client.killSweep(sweepId, reason),
    };
    const changed = await steer[action]();
    writeResult(context, options, changed, () => describeSweep(changed));
  });
}

/** Flags of `graft sweep delete`. */
export interface DeleteFlags {
  readonly yes?: true;
  readonly dryRun?: true;
}

/** `graft sweep delete`. */
export async function deleteSweep(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  { yes, dryRun }: DeleteFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    if (dryRun === true || yes === undefined) {
      const planned = await client.deleteSweep(sweepId, true);
      if (dryRun === true) {
        writeResult(context, options, planned, () => describeDeletion(planned));
        return;
      }
      const name = planned.displayName === '' ? '' : ` '${planned.displayName}'`;
      const question = `Delete sweep ${sweepId}${name} with ${deletionContents(planned)}? This can't be undone.`;
      if (!(await confirm(context, question, '--yes'))) {
        say(context, 'Nothing was deleted.');
        return;
      }
    }
    const deletion = await client.deleteSweep(sweepId, false);
    writeResult(context, options, deletion, () => describeDeletion(deletion));
  });
}
