import type { TokenRecord } from '../../../core/records/token.ts';
import type { TokenRole } from '../../../core/token-role.ts';
import { TokenRole as ProtoTokenRole } from '../../../../proto/gen/graft/v1/token_service.ts';
import type { Token } from '../../../../proto/gen/graft/v1/token_service.ts';
import { upperCaseEnum } from './enum-codec.ts';
import { absentNulls, nullAbsent, requireMessage } from './fields.ts';

export const tokenRoles = upperCaseEnum<TokenRole, typeof ProtoTokenRole>(ProtoTokenRole);

/** Converts a token to its message. */
export function tokenToProto(token: TokenRecord): Token {
  return { ...absentNulls(token), role: tokenRoles.toProto(token.role), trainerIds: [...token.trainerIds] };
}

/** @throws InvalidRequestError naming the field that is absent. */
export function tokenFromProto(message: Token | undefined): TokenRecord {
  const sent = requireMessage(message, 'token');
  return {
    ...nullAbsent(sent),
    role: tokenRoles.tryFromProto(sent.role),
    createTime: requireMessage(sent.createTime, 'token.create_time'),
  };
}
