import { createHmac } from 'node:crypto';
import { sha256Hex } from '../core/digest.ts';

/** Returns the SHA-256, hexadecimal, of the secret of a trainer or a lease; empty when none was sent. Both have at least 128 random bits. */
export function hashOfSecret(secret: string): string {
  return secret === '' ? '' : sha256Hex(secret);
}

/**
 * Returns the secret of a lease, 256 bits as base64url. It is derived from the trainer's secret, so that a repeated LeaseTask gets
 * the same one from any coordinator without storing it, and a late copy of a request takes nothing away from the slot. Empty for
 * a trainer without a secret: its leases have none either.
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
