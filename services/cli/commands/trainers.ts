import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';

/** `graft trainers`. */
export function addTrainersCommand(program: Command, context: CliContext): void {
  const trainers = program.command('trainers').description('list trainers and the tasks of their slots');
  trainers
    .command('forget')
    .argument('<trainer>', 'trainer: its id or host name, or a unique beginning of either')
    .description(
      'release the id of a LOST trainer for another process (after its disk was replaced, for example), ' +
        'or end the drain of a trainer; requires the role admin',
    )
    .action(async (trainer: string, _flags: unknown, command: Command) => {
      const { forgetTrainer } = await import('../actions/manage-trainers.ts');
      await forgetTrainer(context, globalOptions(command), trainer);
    });
  trainers.action(async (_flags: unknown, command: Command) => {
    const { listTrainers } = await import('../actions/manage-trainers.ts');
    await listTrainers(context, globalOptions(command));
  });
}
