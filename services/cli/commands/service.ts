import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { nodeCommand } from '../cluster/node-command.ts';
import { CliError } from '../terminal/cli-errors.ts';
import { settingsOf } from '../context/connection-options.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './client-command.ts';

/** `graft coordinator` and `graft trainer`: one service in the foreground, configured by the environment. */
export function addServiceCommands(program: Command, context: CliContext): void {
  const services = [
    ['coordinator', 'run a coordinator (settings by environment; --help tells them)', 'coordinator/main'],
    ['trainer', 'run a trainer (settings by environment; --help tells them)', 'trainer/main'],
    ['migrate', 'bring the database of DATABASE_URL to this version', 'migrate/main'],
  ] as const;
  for (const [name, description, module] of services) {
    program
      .command(name)
      .description(description)
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .argument('[arguments...]')
      .action(async (rest: string[], _options: unknown, command: Command) => {
        // --coordinator is an option of all commands; a trainer takes it for its own.
        const options = globalOptions(command);
        const { coordinator } = options;
        const own = name === 'trainer' && coordinator !== undefined ? ['--coordinator', coordinator] : [];
        await runService({ ...context, env: { ...context.env, ...settingsOf(options) } }, nodeCommand(module), [
          ...own,
          ...rest,
        ]);
      });
  }
}

/** @throws CliError with the service's exit code where it is not 0. */
async function runService(
  context: CliContext,
  [program, ...args]: readonly [string, ...string[]],
  rest: readonly string[],
): Promise<void> {
  // The terminal tells the child of Ctrl-C itself; only signals sent to us alone are handed on.
  const child = spawn(program, [...args, ...rest], { env: context.env, stdio: 'inherit' });
  const handOn = (): void => {
    child.kill('SIGTERM');
  };
  context.signals.onSecond = (): void => {
    child.kill('SIGKILL');
  };
  const onAbort = (): void => {
    const reason = context.signal.reason as Error;
    if (!reason.message.includes('SIGINT') || !process.stdin.isTTY) handOn();
  };
  context.signal.addEventListener('abort', onAbort, { once: true });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? (signal === 'SIGKILL' ? 137 : 143)));
  });
  context.signal.removeEventListener('abort', onAbort);
  if (code === 0) return;
  throw new CliError('', code);
}
