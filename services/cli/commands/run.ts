import type { Command } from 'commander';
import type { TagFlags } from '../actions/annotate.ts';
import type { SteerRunFlags } from '../actions/steer-run.ts';
import type { RunFlags } from '../actions/show-runs.ts';
import type { ListFlags } from '../terminal/list.ts';
import { addListOptions } from './list-options.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { REASON, REMOVE_TAGS, RUN_HANDLE, RUN_SWEEP_OPTION, SWEEP_HANDLE } from './handles.ts';

/** `graft run …`. */
export function addRunCommands(program: Command, context: CliContext): void {
  const group = program.command('run').description('list, explain and steer the runs (variants) of a sweep');
  addListOptions(group.command('list'))
    .argument('<sweep>', SWEEP_HANDLE)
    .description('list all runs of a sweep, by number')
    .action(async (sweep: string, flags: ListFlags, command: Command) => {
      const { listRuns } = await import('../actions/show-runs.ts');
      await listRuns(context, globalOptions(command), sweep, flags);
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
    .description('explain the state of a run: its place and the decisions at each rung, every attempt and its outcome')
    .action(async (run: string, flags: RunFlags, command: Command) => {
      const { explainRun } = await import('../actions/show-runs.ts');
      await explainRun(context, globalOptions(command), run, flags);
    });
  addCompareCommand(group, context);
  for (const [name, description] of [
    ['stop', 'end a run early and keep its result, which can be the best; the other runs continue'],
    ['retry', 'train a failed run again; a sweep that has ended continues with it'],
  ] as const) {
    group
      .command(name)
      .argument('<run>', RUN_HANDLE)
      .option(...RUN_SWEEP_OPTION)
      .option(...REASON)
      .description(description)
      .action(async (run: string, flags: SteerRunFlags, command: Command) => {
        const { steerRun } = await import('../actions/steer-run.ts');
        await steerRun(context, globalOptions(command), name, run, flags);
      });
  }
  group
    .command('note')
    .argument('<run>', RUN_HANDLE)
    .argument('<text>', 'notes, which replace those of before; an empty string removes them')
    .option(...RUN_SWEEP_OPTION)
    .description('write notes on a run')
    .action(async (run: string, notes: string, flags: RunFlags, command: Command) => {
      const { annotateRun } = await import('../actions/annotate.ts');
      await annotateRun(context, globalOptions(command), run, { notes }, flags);
    });
  group
    .command('tag')
    .argument('<run>', RUN_HANDLE)
    .argument('[tags...]', 'tags to add')
    .option(...REMOVE_TAGS)
    .option(...RUN_SWEEP_OPTION)
    .description('add tags to a run, or remove them')
    .action(async (run: string, tags: string[], flags: RunFlags & TagFlags, command: Command) => {
      const { annotateRun, tagChange } = await import('../actions/annotate.ts');
      await annotateRun(context, globalOptions(command), run, tagChange(tags, flags), flags);
    });
}

/** `graft compare` and `graft run compare`, which are the same. */
export function addCompareCommand(parent: Command, context: CliContext): void {
  parent
    .command('compare')
    .argument('<runs...>', 'two or more runs, as in `graft compare latest/0 latest/best`')
    .option(...RUN_SWEEP_OPTION)
    .description('compare runs: differing parameters, results, epochs, and the difference of two on the test images')
    .action(async (runs: string[], flags: RunFlags, command: Command) => {
      const { compareRuns } = await import('../actions/compare.ts');
      await compareRuns(context, globalOptions(command), runs, flags);
    });
}
