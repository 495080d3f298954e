import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';

/** `graft coordinator`, `graft trainer` and `graft migrate`: one service in the foreground, configured by the environment. */
export function addServiceCommands(program: Command, context: CliContext): void {
  const services = [
    ['coordinator', 'run a coordinator; `graft coordinator --help` lists its settings'],
    ['trainer', 'run a trainer; `graft trainer --help` lists its settings'],
    ['migrate', 'migrate the database of DATABASE_URL to this version'],
  ] as const;
  for (const [name, description] of services) {
    program
      .command(name)
      .description(description)
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments()
      .argument('[arguments...]')
      .action(async (rest: string[], _flags: unknown, command: Command) => {
        const { runService } = await import('../actions/run-service.ts');
        await runService(context, globalOptions(command), name, rest);
      });
  }
}
