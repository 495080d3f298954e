import type { Command } from 'commander';
import type { ListFlags } from '../terminal/list.ts';
import { addListOptions } from './list-options.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { SWEEP_HANDLE } from './handles.ts';
import { addCompareCommand } from './run.ts';

/** `graft leaderboard`, `graft compare` and `graft report`: the results of sweeps. */
export function addResultCommands(program: Command, context: CliContext): void {
  addListOptions(program.command('leaderboard'))
    .argument('<sweep>', SWEEP_HANDLE)
    .description('rank the runs of a sweep by validation, with the test results that its policy allows')
    .action(async (sweep: string, flags: ListFlags, command: Command) => {
      const { showLeaderboard } = await import('../actions/show-leaderboard.ts');
      await showLeaderboard(context, globalOptions(command), sweep, flags);
    });
  addCompareCommand(program, context);
  program
    .command('report')
    .argument('<sweep>', SWEEP_HANDLE)
    .description('write a report of a sweep: one self-contained HTML file')
    .option(
      '-o, --out <path>',
      'HTML file to write, or a folder (then the file is called graft-report-<sweep>.html); -: standard output',
      '.',
    )
    .action(async (sweep: string, flags: { readonly out: string }, command: Command) => {
      const { reportSweep } = await import('../actions/report-sweep.ts');
      await reportSweep(context, globalOptions(command), sweep, flags.out);
    });
}
