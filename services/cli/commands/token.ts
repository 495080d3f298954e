import { Option } from 'commander';
import type { Command } from 'commander';
import { TOKEN_ROLES } from '../../core/token-role.ts';
import type { CreateTokenFlags } from '../actions/manage-tokens.ts';
import type { CliContext } from '../context/cli-context.ts';
import { globalOptions } from './global-options.ts';
import { days } from './parse-arguments.ts';

/** `graft token …`. */
export function addTokenCommands(program: Command, context: CliContext): void {
  const token = program.command('token').description('create, list and revoke access tokens; requires the role admin');
  token
    .command('create <name>')
    .description('create a token and print its secret once; the coordinator stores only a hash')
    .addOption(
      new Option(
        '--role <role>',
        'role: viewer reads; submitter also submits; trainer leases tasks; admin also creates tokens',
      )
        .choices(TOKEN_ROLES.map((role) => role.toLowerCase()))
        .makeOptionMandatory(),
    )
    .option('--expires <days>', 'days until the token expires (default: never)', days)
    .option('--trainer-id <id...>', 'trainer ids that a token with the role trainer may use (default: any)')
    .action(async (name: string, flags: CreateTokenFlags, command: Command) => {
      const { createToken } = await import('../actions/manage-tokens.ts');
      await createToken(context, globalOptions(command), name, flags);
    });
  token
    .command('list')
    .description('list all tokens, latest first, without secrets')
    .action(async (_flags: unknown, command: Command) => {
      const { listTokens } = await import('../actions/manage-tokens.ts');
      await listTokens(context, globalOptions(command));
    });
  token
    .command('revoke')
    .argument('<token>', 'token: its id or name, or a unique beginning of either')
    .description('revoke a token within seconds, at every coordinator and in open streams')
    .action(async (named: string, _flags: unknown, command: Command) => {
      const { revokeToken } = await import('../actions/manage-tokens.ts');
      await revokeToken(context, globalOptions(command), named);
    });
}
