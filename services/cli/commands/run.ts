import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';

/** `graft run …`. */
export function addRunCommands(program: Command, context: CliContext): void {
  const run = program.command('run').description('list and explain the runs (variants) of a sweep');
  run
    .command('list <sweep>')
    .description('list all runs of a sweep, by number')
    .action(async (sweep: string, _flags: unknown, command: Command) => {
      const { listRuns } = await import('../actions/show-runs.ts');
      await listRuns(context, globalOptions(command), sweep);
    });
  run
    .command('get <run>')
    .description('print one run with all its parameters')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const { getRun } = await import('../actions/show-runs.ts');
      await getRun(context, globalOptions(command), id);
    });
  run
    .command('explain <run>')
    .description('explain the state of a run, with every attempt and its outcome')
    .action(async (id: string, _flags: unknown, command: Command) => {
      const { explainRun } = await import('../actions/show-runs.ts');
      await explainRun(context, globalOptions(command), id);
    });
}
