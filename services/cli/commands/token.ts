import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { TOKEN_ROLES } from '../../core/token-role.ts';
import type { TokenRole } from '../../core/token-role.ts';
import type { Token } from '../client/types.ts';
import type { CliContext } from '../context/cli-context.ts';
import { formatTime } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { renderTable } from '../terminal/table.ts';
import { globalOptions, withClient } from './client-command.ts';

const DAY_MS = 86_400_000;

interface CreateFlags {
  readonly role: Lowercase<TokenRole>;
  readonly expires?: number;
  readonly trainerId?: readonly string[];
}

/** `graft token …`. */
export function addTokenCommands(program: Command, context: CliContext): void {
  const token = program.command('token').description('who may call the coordinator; for administrators');
  token
    .command('create <name>')
    .description('make a token and print it; it is shown only this once, because the coordinator keeps its hash alone')
    .addOption(
      new Option('--role <role>', 'viewer reads; submitter also submits; trainer leases tasks; admin also makes tokens')
        .choices(TOKEN_ROLES.map((role) => role.toLowerCase()))
        .makeOptionMandatory(),
    )
    .option('--expires <days>', 'days until it ends by itself; default: never', days)
    .option('--trainer-id <id...>', 'for the role trainer: the trainers that it may speak for; default: any')
    .action(async (name: string, own: CreateFlags, command: Command) => {
      const options = globalOptions(command);
      const expireTime = own.expires === undefined ? null : new Date(Date.now() + own.expires * DAY_MS);
      await withClient(context, options, async (client) => {
        const role = own.role.toUpperCase() as TokenRole;
        const made = await client.createToken({ name, role, expireTime, trainerIds: own.trainerId ?? [] });
        writeResult(context, options, { ...made.token, secret: made.secret }, () => made.secret);
        say(
          context,
          `${made.token.tokenId}: ${own.role} ${name}. Hand it over as GRAFT_TOKEN, or in a file as GRAFT_TOKEN_FILE.`,
        );
      });
    });
  token
    .command('list')
    .description('all tokens, newest first, without their secrets')
    .action(async (_own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const tokens = await client.listTokens();
        writeResult(context, options, tokens, () => describeTokens(tokens, new Date()));
      });
    });
  token
    .command('revoke <token-id>')
    .description('end a token within seconds, at every coordinator and in streams that are open')
    .action(async (tokenId: string, _own: unknown, command: Command) => {
      const options = globalOptions(command);
      await withClient(context, options, async (client) => {
        const revoked = await client.revokeToken(tokenId);
        const text = `${revoked.tokenId} (${revoked.name}) was revoked at ${formatTime(revoked.revokeTime)}.`;
        writeResult(context, options, revoked, () => text);
      });
    });
}

function describeTokens(tokens: readonly Token[], now: Date): string {
  if (tokens.length === 0) return 'There is no token.';
  const columns = ['token', 'name', 'role', 'trainers', 'made', 'state', 'used last'];
  return renderTable(
    columns.map((title) => ({ title })),
    tokens.map((token) => [
      token.tokenId,
      token.name,
      token.role?.toLowerCase() ?? 'unknown',
      token.role !== 'TRAINER' ? '' : token.trainerIds.length === 0 ? 'any' : token.trainerIds.join(' '),
      formatTime(token.createTime),
      stateOf(token, now),
      formatTime(token.lastUseTime),
    ]),
  );
}

function stateOf({ revokeTime, expireTime }: Token, now: Date): string {
  if (revokeTime !== null) return `revoked ${formatTime(revokeTime)}`;
  if (expireTime === null) return 'live';
  return expireTime <= now ? `expired ${formatTime(expireTime)}` : `live until ${formatTime(expireTime)}`;
}

/** @throws InvalidArgumentError */
function days(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 36_500)) throw new InvalidArgumentError('must be a number of days, above 0.');
  return value;
}
