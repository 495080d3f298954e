import { createHmac } from 'node:crypto';
import { sha256Hex } from '../core/digest.ts';

/** SHA-256, hexadecimal, of a trainer's or a lease's secret; empty where none was sent. Both have 128 random bits or more. */
export function hashOfSecret(secret: string): string {
  return secret === '' ? '' : sha256Hex(secret);
}

/**
 * Secret of a lease, 256 bits as base64url. Derived from the trainer's own secret, so that a repeated LeaseTask gets the same one
 * from any coordinator without its being stored, and a late copy of a request takes nothing away from the slot. Empty for a
 * trainer without a secret: its leases have none either.
 */
export function leaseSecretOf(
  trainerSecret: string,
  lease: { readonly taskId: string; readonly leaseEpoch: number; readonly requestId: string },
): string {
  if (trainerSecret === '') return '';
  const { taskId, leaseEpoch, requestId } = lease;
  const message = JSON.stringify(['graft-lease-1', taskId, leaseEpoch, requestId]);
  return createHmac('sha256', trainerSecret).update(message).digest('base64url');
}
