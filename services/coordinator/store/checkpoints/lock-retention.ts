import type { StoreTransaction } from '../transaction.ts';

/** Key of the advisory lock between those who come to refer to checkpoints of other sweeps and those who mark checkpoints for removal. */
const RETENTION_LOCK = 0x67726672;

/**
 * Locks the choice of superfluous checkpoints to the end of the transaction. With the `exclusive` lock, a transaction sees all
 * references to checkpoints that are committed; with the `shared` one, the checkpoints that it finds stored stay so until it has
 * committed its reference.
 */
export async function lockRetention(tx: StoreTransaction, mode: 'shared' | 'exclusive'): Promise<void> {
  const suffix = mode === 'shared' ? '_shared' : '';
  await tx.query(`SELECT pg_advisory_xact_lock${suffix}($1)`, [RETENTION_LOCK]);
}
