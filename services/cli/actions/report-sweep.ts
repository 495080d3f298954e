import { resolve } from 'node:path';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { writeReport } from '../report/write-report.ts';
import { writeResult } from '../terminal/output.ts';
import { withClient } from './with-client.ts';

/** `graft report`. */
export async function reportSweep(
  context: CliContext,
  options: GlobalOptions,
  sweep: string,
  out: string,
): Promise<void> {
  const file = resolve(context.cwd, out);
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, sweep);
    await writeReport(client, sweepId, file, context.signal);
    writeResult(context, options, { sweepId, file }, () => file);
  });
}
