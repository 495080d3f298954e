import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { writeResult } from '../terminal/output.ts';
import { writeReport } from '../report/write-report.ts';
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
