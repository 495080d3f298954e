import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeFront, frontColumns } from '../describe/front-text.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { chooseRows, tableWidth } from '../terminal/list.ts';
import type { ListFlags } from '../terminal/list.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/**
 * `graft sweep front`.
 *
 * @throws CliError where the coordinator does not store what models cost
 */
export async function showFront(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  flags: ListFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const front = await client.getParetoFront(sweepId);
    if (front === null) {
      throw new CliError(
        `The coordinator at ${client.address} is of an earlier version, which does not store what models cost. Update it.`,
        EXIT.conflict,
      );
    }
    const { objective } = (await client.getSweep(sweepId)).spec;
    const columns = frontColumns(front, objective.metric);
    const shown = chooseRows(columns, front, flags);
    writeResult(context, options, shown, () =>
      front.length === 0
        ? 'No run has a value yet whose model has known costs. Those of sweeps that an earlier version planned are not stored.'
        : describeFront(front, { shown, flags, width: tableWidth(context.stdout), columns }),
    );
  });
}
