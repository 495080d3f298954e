import { tokenFromProto, tokenRoles } from '../../platform/rpc/convert/token.ts';
import { NO_RETRY } from '../../platform/rpc/client.ts';
import type { Calls } from '../../platform/rpc/client.ts';
import type { TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { allPages } from './all-pages.ts';
import type { GraftClient } from './client-port.ts';

/** Creates the token calls of the client. */
export function tokenCalls(
  call: Calls<typeof TokenServiceService>,
): Pick<GraftClient, 'createToken' | 'listTokens' | 'revokeToken'> {
  return {
    async createToken({ name, role, expireTime, trainerIds }) {
      const request = {
        name,
        role: tokenRoles.toProto(role),
        expireTime: expireTime ?? undefined,
        trainerIds: [...trainerIds],
      };
      // A retry would create a second token, and the secret of the first one is lost with its answer.
      const { token, secret } = await call.createToken(request, { retry: NO_RETRY });
      return { token: tokenFromProto(token), secret };
    },
    async listTokens() {
      const tokens = await allPages(1_000, async (page) => {
        const { tokens: items, nextPageToken } = await call.listTokens(page);
        return { items, nextPageToken };
      });
      return tokens.map(tokenFromProto);
    },
    async revokeToken(tokenId) {
      return tokenFromProto((await call.revokeToken({ tokenId })).token);
    },
  };
}
