import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { describeSearch } from '../describe/explain-sweep-text.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/** Flags of `graft sweep explain`. */
export interface ExplainFlags {
  readonly replay?: true;
  readonly verbose?: true;
}

/**
 * `graft sweep explain`.
 *
 * @throws CliError with exit code 1 if a recomputed decision differs from the stored one.
 */
export async function explainSweep(
  context: CliContext,
  options: GlobalOptions,
  handle: string,
  flags: ExplainFlags,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, handle);
    const explanation = await client.explainSweep(sweepId, flags.replay === true);
    if (explanation === null) {
      throw new CliError(
        `The coordinator at ${client.address} is of an earlier version, which has no rungs. Update it.`,
        EXIT.conflict,
      );
    }
    const [sweep, runs, entries, decisions] = await Promise.all([
      client.getSweep(sweepId),
      client.listRuns(sweepId),
      client.listRungEntries(sweepId),
      client.listDecisions({ sweepId }),
    ]);
    const { metric } = sweep.spec.objective;
    const facts = { isPlanned: sweep.datasetId !== null, hasEnded: sweep.searchEnd !== null };
    writeResult(context, options, { ...explanation, entries, decisions }, () =>
      describeSearch({ explanation, entries, decisions, runs, ...facts }, metric, flags.verbose === true),
    );
    const differing = explanation.replay?.differenceCount ?? 0;
    if (differing > 0)
      throw new CliError(`${differing} decisions of sweep ${sweepId} differ from their recomputation.`);
  });
}
