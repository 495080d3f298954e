import { z } from 'zod';
import { IllegalStateError, InvalidRequestError } from '../../core/errors.ts';
import { controlProblem } from '../../core/text/control-characters.ts';
import type { FieldViolation } from '../../core/sweep/sweep-spec.ts';
import type { TokenRole } from '../../core/token-role.ts';
import { trainerIdMistake } from '../../core/reports/check-trainer.ts';
import { tokenRoles, tokenToProto } from '../../platform/rpc/convert/token.ts';
import type { Handlers } from '../../platform/rpc/server.ts';
import type { CreateTokenRequest, TokenServiceService } from '../../../proto/gen/graft/v1/token_service.ts';
import { newTokenId } from '../new-id.ts';
import { newToken } from '../new-token.ts';
import { createToken } from '../store/tokens/create-token.ts';
import { listTokens } from '../store/tokens/list-tokens.ts';
import { revokeToken } from '../store/tokens/revoke-token.ts';
import { ID_KEY, pageToken, readPage, TIME_KEY } from './page.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

const TOKENS = {
  scope: 'tokens',
  defaultSize: 100,
  maxSize: 1000,
  key: z.object({ createTime: TIME_KEY, tokenId: ID_KEY }),
};
const MAX_NAME_LENGTH = 100;
const MAX_TRAINER_IDS = 100;
const YEAR_10000_MS = Date.UTC(10_000, 0);

/**
 * Returns the handlers of the token service, for administrators.
 *
 * @param isOn whether calls need tokens. Without, every caller is an administrator and no token may be created: it would remain
 * valid after tokens are turned on.
 */
export function tokenServiceHandlers(
  { store }: Pick<RpcContext, 'store'>,
  isOn: boolean,
): Handlers<typeof TokenServiceService> {
  return {
    createToken: async (request) => {
      if (!isOn) throw new IllegalStateError('the tokens', 'OFF', 'add to', ['GRAFT_COORDINATOR_TOKENS=on']);
      refuseMistakes(request);
      const { secret, hash: tokenHash } = newToken();
      const token = await createToken(store, {
        tokenId: newTokenId(),
        tokenHash,
        name: request.name,
        role: tokenRoles.fromProto(request.role, 'role'),
        trainerIds: request.trainerIds,
        expireTime: request.expireTime ?? null,
      });
      return { token: tokenToProto(token), secret };
    },
    listTokens: async (request) => {
      const { limit, after } = readPage(request, TOKENS);
      const page = await listTokens(store, after, limit);
      return { tokens: page.items.map(tokenToProto), nextPageToken: pageToken(TOKENS.scope, page.next) };
    },
    revokeToken: async (request) => ({
      token: tokenToProto(await revokeToken(store, requireId(request.tokenId, 'token_id'))),
    }),
  };
}

function refuseMistakes({ name, role, expireTime, trainerIds }: CreateTokenRequest): void {
  const violations: FieldViolation[] = [];
  if (name.trim() === '' || name.length > MAX_NAME_LENGTH) {
    const description = `must have 1 to ${MAX_NAME_LENGTH} characters; received ${name.length}.`;
    violations.push({ field: 'name', description });
  } else {
    const description = controlProblem(name);
    if (description !== null) violations.push({ field: 'name', description });
  }
  if (tokenRoles.tryFromProto(role) === null) {
    violations.push({
      field: 'role',
      description: `must be one of ${tokenRoles.values.join(', ')}; received ${role}.`,
    });
  }
  violations.push(...mistakesInTrainerIds(trainerIds, tokenRoles.tryFromProto(role)));
  // A date beyond the range of JavaScript is NaN, which fails the comparison.
  if (expireTime !== undefined && !(expireTime.getTime() > Date.now() && expireTime.getTime() < YEAR_10000_MS)) {
    const received = Number.isNaN(expireTime.getTime()) ? 'an invalid date' : expireTime.toISOString();
    const description = `must lie in the future and before the year 10000; received ${received}.`;
    violations.push({ field: 'expire_time', description });
  }
  if (violations.length > 0) throw new InvalidRequestError(violations);
}

function mistakesInTrainerIds(trainerIds: readonly string[], role: TokenRole | null): FieldViolation[] {
  if (trainerIds.length === 0) return [];
  if (role !== 'TRAINER') {
    return [
      { field: 'trainer_ids', description: `are for the role TRAINER; received them with ${role ?? 'no role'}.` },
    ];
  }
  if (trainerIds.length > MAX_TRAINER_IDS) {
    const description = `must be at most ${MAX_TRAINER_IDS}; received ${trainerIds.length}.`;
    return [{ field: 'trainer_ids', description }];
  }
  return trainerIds.flatMap((trainerId, index) => {
    const description = trainerIdMistake(trainerId);
    return description === null ? [] : [{ field: `trainer_ids[${index}]`, description }];
  });
}
