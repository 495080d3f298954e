import type { TokenRole } from '../../core/token-role.ts';
import type { TokenRecord } from '../../core/records/token.ts';
import { resolveToken } from '../client/handles.ts';
import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { formatTime } from '../terminal/format.ts';
import { say, writeResult } from '../terminal/output.ts';
import { renderTable } from '../terminal/table.ts';
import { withClient } from './with-client.ts';

const DAY_MS = 86_400_000;

/** Flags of `graft token create`. */
export interface CreateTokenFlags {
  readonly role: Lowercase<TokenRole>;
  /** Days; undefined: never. */
  readonly expires?: number;
  readonly trainerId?: readonly string[];
}

/** `graft token create`. */
export async function createToken(
  context: CliContext,
  options: GlobalOptions,
  name: string,
  flags: CreateTokenFlags,
): Promise<void> {
  const expireTime = flags.expires === undefined ? null : new Date(Date.now() + flags.expires * DAY_MS);
  await withClient(context, options, async (client) => {
    const role = flags.role.toUpperCase() as TokenRole;
    const { token, secret } = await client.createToken({
      name,
      role,
      expireTime,
      trainerIds: flags.trainerId ?? [],
    });
    writeResult(context, options, { ...token, secret }, () => secret);
    say(
      context,
      `${token.tokenId}: ${flags.role} ${name}. Set it as GRAFT_TOKEN, or write it to a file named by GRAFT_TOKEN_FILE.`,
    );
  });
}

/** `graft token list`. */
export async function listTokens(context: CliContext, options: GlobalOptions): Promise<void> {
  await withClient(context, options, async (client) => {
    const tokens = await client.listTokens();
    writeResult(context, options, tokens, () => describeTokens(tokens, new Date()));
  });
}

/** `graft token revoke`. */
export async function revokeToken(context: CliContext, options: GlobalOptions, handle: string): Promise<void> {
  await withClient(context, options, async (client) => {
    const revoked = await client.revokeToken(await resolveToken(client, handle));
    const text = `${revoked.tokenId} (${revoked.name}) was revoked at ${formatTime(revoked.revokeTime)}.`;
    writeResult(context, options, revoked, () => text);
  });
}

function describeTokens(tokens: readonly TokenRecord[], now: Date): string {
  if (tokens.length === 0) return 'There is no token.';
  const columns = ['token', 'name', 'role', 'trainers', 'created', 'state', 'last used'];
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

function stateOf({ revokeTime, expireTime }: TokenRecord, now: Date): string {
  if (revokeTime !== null) return `revoked ${formatTime(revokeTime)}`;
  if (expireTime === null) return 'live';
  return expireTime <= now ? `expired ${formatTime(expireTime)}` : `live until ${formatTime(expireTime)}`;
}
