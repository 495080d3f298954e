import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GraftClient } from '../client/client-port.ts';
import { resolveSweep } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { collectReport } from '../report/collect-report.ts';
import { renderReport } from '../report/render-report.ts';
import { hasEnded } from '../report/report-data.ts';
import type { ReportData } from '../report/report-data.ts';
import { reportFile, writeReport } from '../report/write-report.ts';
import { UsageError } from '../terminal/cli-errors.ts';
import { say, writeResult } from '../terminal/output.ts';
import { countOf } from '../../core/text/count-of.ts';
import { quoted } from '../terminal/quoted.ts';
import { STANDARD_STREAM } from '../terminal/standard-stream.ts';
import { hint } from './hint.ts';
import { withClient } from './with-client.ts';

/** `graft report`. */
export async function reportSweep(
  context: CliContext,
  options: GlobalOptions,
  sweep: string,
  out: string,
): Promise<void> {
  const isPrinted = out === STANDARD_STREAM;
  if (isPrinted && options.output === 'json') {
    throw new UsageError(
      '--out: the report itself is printed, which is HTML. Leave out --output json, or name a file.',
    );
  }
  await withClient(context, options, async (client) => {
    const sweepId = await resolveSweep(client, sweep);
    const file = isPrinted ? null : await reportFile(resolve(context.cwd, out), /[/\\]$/.test(out), sweepId);
    const data =
      file === null
        ? await printReport(context, client, sweepId)
        : await writeReport(client, sweepId, file, context.signal);
    const { state, finishedRunCount, runCount } = data.sweep;
    if (file !== null) writeResult(context, options, { sweepId, state, file }, () => file);
    if (options.output === 'json') return;
    if (!hasEnded(data.sweep)) {
      const paused = state === 'PAUSED' ? 'paused' : 'still running';
      say(
        context,
        `The sweep is ${paused}: ${finishedRunCount} of ${countOf(runCount, 'run')} ${runCount === 1 ? 'has' : 'have'} ended, and the report says so.`,
      );
    }
    if (file !== null) say(context, `View it in a browser: ${pathToFileURL(file).href}`);
    if (data.sweep.bestRunId !== null) hint(context, options, `checkpoint export ${quoted(sweep)} -o model.keras`);
  });
}

async function printReport(context: CliContext, client: GraftClient, sweepId: string): Promise<ReportData> {
  const data = await collectReport(client, sweepId, context.signal);
  context.stdout.write(renderReport(data));
  return data;
}
