import type { Command } from 'commander';
import type { AutoFlags } from '../actions/run-auto.ts';
import type { DemoFlags } from '../actions/run-demo.ts';
import type { ClusterFlags } from '../actions/run-cluster.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { positiveInteger, positiveNumber } from './parse-arguments.ts';

/** `graft up` and `graft demo`: the commands that start a cluster on this machine. */
export function addClusterCommands(program: Command, context: CliContext): void {
  addClusterOptions(program.command('up'))
    .description('run PostgreSQL, a coordinator and trainers on this machine until Ctrl-C')
    .action(async (flags: ClusterFlags, command: Command) => {
      const { runCluster } = await import('../actions/run-cluster.ts');
      await runCluster(context, globalOptions(command), flags);
    });
  addClusterOptions(program.command('demo'))
    .description('run a demo sweep on this machine, from images to the leaderboard; resumes an interrupted demo')
    .option('--data <dir>', 'images to train on, as <dir>/{train,validation,test}/<class>/<image>')
    .option('--keep', 'keep the cluster running after the demo, until Ctrl-C')
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import('../actions/run-demo.ts');
      await runDemo(context, flags);
    });
}

/** `graft auto`: a whole search in one command. */
export function addAutoCommand(program: Command, context: CliContext): void {
  addClusterOptions(program.command('auto'))
    .argument('<folder>', 'images as <folder>/{train,validation,test}/<class>/<image>, or as <folder>/<class>/<image>')
    .description(
      'find a good classifier of your images: heads on several bases, the best fine-tuned, the winner tested once',
    )
    .option('--minutes <number>', 'time that the search may take', positiveNumber, 10)
    .option('--print', 'print the sweep file of the search, and do nothing else')
    .option(
      '-o, --out <dir>',
      'folder for sweep.yaml, report.html and model.keras (default: graft-<name of the folder>)',
    )
    .action(async (folder: string, flags: AutoFlags, command: Command) => {
      const { runAuto } = await import('../actions/run-auto.ts');
      await runAuto(context, globalOptions(command), folder, flags);
    });
}

function addClusterOptions(command: Command): Command {
  return command
    .option(
      '--trainers <number>',
      'number of trainer processes (default: 1; for demo and auto without a GPU: up to 2)',
      positiveInteger,
    )
    .option('--slots <number>', 'slots of each trainer (default: one per GPU, else one)', positiveInteger)
    .option(
      '--threads <number>',
      'TensorFlow threads of each slot (default: the cores, divided evenly)',
      positiveInteger,
    )
    .option(
      '--port <number>',
      'port of the coordinator (default: 50051 if it is free, else a free one)',
      positiveInteger,
    )
    .option('--database-url <url>', 'PostgreSQL to use (default: DATABASE_URL, else one in the state folder)')
    .option('--adopt-store', 'take over the artifact store of a cluster whose database is lost')
    .option('--verbose', 'print the logs of all processes');
}
