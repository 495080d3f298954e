import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { reportFile, writeReport } from '../report/write-report.ts';
import { hasEnded } from '../report/report-data.ts';
import { say, writeResult } from '../terminal/output.ts';
import { hint, quoted } from './hint.ts';
import { withClient } from './with-client.ts';

/** `graft report`. */
export async function reportSweep(
  context: CliContext,
  options: GlobalOptions,
  sweep: string,
  out: string,
): Promise<void> {
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, sweep);
    const file = await reportFile(resolve(context.cwd, out), /[/\\]$/.test(out), sweepId);
    const data = await writeReport(client, sweepId, file, context.signal);
    const { state, finishedRunCount, runCount } = data.sweep;
    writeResult(context, options, { sweepId, state, file }, () => file);
    if (options.output === 'json') return;
    if (!hasEnded(data.sweep)) {
      const paused = state === 'PAUSED' ? 'paused' : 'still running';
      say(
        context,
        `The sweep is ${paused}: ${finishedRunCount} of ${runCount} runs have ended, and the report says so.`,
      );
    }
    say(context, `View it in a browser: ${pathToFileURL(file).href}`);
    hint(context, options, `checkpoint export ${quoted(sweep)} -o model.keras`);
  });
}
