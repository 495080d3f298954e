import { upperCaseEnum } from '../../platform/rpc/convert/enum-codec.ts';
import { requireMessage } from '../../platform/rpc/convert/fields.ts';
import { NO_RETRY } from '../../platform/rpc/client.ts';
import type { Calls } from '../../platform/rpc/client.ts';
import type { TokenRole } from '../../core/token-role.ts';
import { TokenRole as ProtoTokenRole } from '../../../proto/gen/graft/v1/token_service.ts';
import type { Token as ProtoToken, TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { allPages } from './all-pages.ts';
import type { GraftClient, Token } from './types.ts';

const roles = upperCaseEnum<TokenRole, typeof ProtoTokenRole>(ProtoTokenRole);

/** Tokens, without proto types. */
export function tokenCalls(
  call: Calls<typeof TokenServiceService>,
): Pick<GraftClient, 'createToken' | 'listTokens' | 'revokeToken'> {
  return {
    async createToken({ name, role, expireTime, trainerIds }) {
      const request = {
        name,
        role: roles.toProto(role),
        expireTime: expireTime ?? undefined,
        trainerIds: [...trainerIds],
      };
      // A second try would make a second token, and the first one's secret is lost with its answer.
      const { token, secret } = await call.createToken(request, { retry: NO_RETRY });
      return { token: viewToken(token), secret };
    },
    async listTokens() {
      const tokens = await allPages(1_000, async (page) => {
        const { tokens: items, nextPageToken } = await call.listTokens(page);
        return { items, nextPageToken };
      });
      return tokens.map(viewToken);
    },
    async revokeToken(tokenId) {
      return viewToken((await call.revokeToken({ tokenId })).token);
    },
  };
}

function viewToken(message: ProtoToken | undefined): Token {
  const token = requireMessage(message, 'token');
  return {
    tokenId: token.tokenId,
    name: token.name,
    role: roles.tryFromProto(token.role),
    createTime: token.createTime ?? null,
    expireTime: token.expireTime ?? null,
    revokeTime: token.revokeTime ?? null,
    lastUseTime: token.lastUseTime ?? null,
    trainerIds: token.trainerIds,
  };
}
