import type { Command } from 'commander';
import type { RunFlags } from '../actions/show-runs.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { RUN_HANDLE, RUN_SWEEP_OPTION, SWEEP_HANDLE } from './handles.ts';

/** `graft run …`. */
export function addRunCommands(program: Command, context: CliContext): void {
  const group = program.command('run').description('list and explain the runs (variants) of a sweep');
  group
    .command('list')
    .argument('<sweep>', SWEEP_HANDLE)
    .description('list all runs of a sweep, by number')
    .action(async (sweep: string, _flags: unknown, command: Command) => {
      const { listRuns } = await import('../actions/show-runs.ts');
      await listRuns(context, globalOptions(command), sweep);
    });
  group
    .command('get')
    .argument('<run>', RUN_HANDLE)
    .option(...RUN_SWEEP_OPTION)
    .description('print one run with all its parameters')
    .action(async (run: string, flags: RunFlags, command: Command) => {
      const { getRun } = await import('../actions/show-runs.ts');
      await getRun(context, globalOptions(command), run, flags);
    });
  group
    .command('explain')
    .argument('<run>', RUN_HANDLE)
    .option(...RUN_SWEEP_OPTION)
    .description('explain the state of a run, with every attempt and its outcome')
    .action(async (run: string, flags: RunFlags, command: Command) => {
      const { explainRun } = await import('../actions/show-runs.ts');
      await explainRun(context, globalOptions(command), run, flags);
    });
}
