import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { SWEEP_HANDLE } from './handles.ts';

/** `graft mlflow …`. */
export function addMlflowCommands(program: Command, context: CliContext): void {
  const mlflow = program.command('mlflow').description('inspect and repair the mirror of sweeps and runs in MLflow');
  mlflow
    .command('status')
    .description('print what waits to be sent to MLflow, what MLflow refused, and its last answer')
    .action(async (_flags: unknown, command: Command) => {
      const { showMlflowStatus } = await import('../actions/manage-mlflow.ts');
      await showMlflowStatus(context, globalOptions(command));
    });
  mlflow
    .command('retry')
    .argument('[sweep]', SWEEP_HANDLE)
    .description('resend what MLflow refused, of one sweep or of all sweeps, after the cause is fixed')
    .action(async (sweep: string | undefined, _flags: unknown, command: Command) => {
      const { retryMlflow } = await import('../actions/manage-mlflow.ts');
      await retryMlflow(context, globalOptions(command), sweep);
    });
  mlflow
    .command('resend')
    .argument('<sweep>', SWEEP_HANDLE)
    .description(
      'send a whole sweep that is older than the mirror, or whose MLflow runs were deleted; creates no duplicates',
    )
    .action(async (sweep: string, _flags: unknown, command: Command) => {
      const { resendToMlflow } = await import('../actions/manage-mlflow.ts');
      await resendToMlflow(context, globalOptions(command), sweep);
    });
}
