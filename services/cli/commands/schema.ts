import type { Command } from 'commander';
import type { CliContext } from '../context/cli-context.ts';

/** `graft schema`. */
export function addSchemaCommand(program: Command, context: CliContext): void {
  program
    .command('schema')
    .description('print the JSON Schema of sweep files, for editors')
    .action(async () => {
      const { buildSweepSchema } = await import('../sweep-file/build-schema.ts');
      context.stdout.write(`${JSON.stringify(buildSweepSchema(), null, 2)}\n`);
    });
}
