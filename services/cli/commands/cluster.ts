import type { Command } from 'commander';
import type { DemoFlags } from '../actions/run-demo.ts';
import type { ClusterFlags } from '../actions/run-cluster.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { positiveInteger } from './parse-arguments.ts';

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

function addClusterOptions(command: Command): Command {
  return command
    .option(
      '--trainers <number>',
      'number of trainer processes (default: 1; for the demo without a GPU: up to 2)',
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
