import type { TokenRecord } from '../../../core/records/token.ts';
import type { TokenRole } from '../../../core/token-role.ts';
import type { Token } from '../../../../prisma/client/client.ts';

export function toTokenRecord(row: Token): TokenRecord {
  const { tokenId, name, role, trainerIds, createTime, expireTime, revokeTime, lastUseTime } = row;
  return { tokenId, name, role: role as TokenRole, trainerIds, createTime, expireTime, revokeTime, lastUseTime };
}
