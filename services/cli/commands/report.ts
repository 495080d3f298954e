import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { GraftClient } from '../client/types.ts';
import type { CliContext } from '../context.ts';
import { writeResult } from '../output.ts';
import { collectReport } from '../report/collect-report.ts';
import { renderReport } from '../report/render-report.ts';
import { globalOptions, resolveSweepId, withClient } from './client-command.ts';

/** `graft report SWEEP -o FILE`. */
export function addReportCommand(program: Command, context: CliContext): void {
  program
    .command('report <sweep>')
    .description('write one self-contained HTML page about a sweep')
    .requiredOption('-o, --out <file>', 'where to')
    .action(async (id: string, own: { out: string }, command: Command) => {
      const options = globalOptions(command);
      const file = resolve(context.cwd, own.out);
      await withClient(context, options, async (client) => {
        const sweepId = await resolveSweepId(client, id);
        await writeReport(client, sweepId, file, context.signal);
        writeResult(context, options, { sweepId, file }, () => file);
      });
    });
}

/** Collects and writes a report; the folder is made. */
export async function writeReport(
  client: GraftClient,
  sweepId: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const page = renderReport(await collectReport(client, sweepId, signal));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, page);
}
