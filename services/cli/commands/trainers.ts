import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';

/** `graft trainers`. */
export function addTrainersCommand(program: Command, context: CliContext): void {
  const trainers = program.command('trainers').description('list trainers and the tasks of their slots');
  trainers
    .command('forget <trainer-id>')
    .description(
      'release the id of a LOST trainer for another process (after its disk was replaced, for example), ' +
        'or end the drain of a trainer; requires the role admin',
    )
    .action(async (trainerId: string, _flags: unknown, command: Command) => {
      const { forgetTrainer } = await import('../actions/manage-trainers.ts');
      await forgetTrainer(context, globalOptions(command), trainerId);
    });
  trainers.action(async (_flags: unknown, command: Command) => {
    const { listTrainers } = await import('../actions/manage-trainers.ts');
    await listTrainers(context, globalOptions(command));
  });
}
