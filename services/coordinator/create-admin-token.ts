import { readMigrationStatus } from '../platform/db/apply-migrations.ts';
import { OutageLog } from '../platform/db/outage-log.ts';
import { createPool } from '../platform/db/pool.ts';
import type { Logger } from '../platform/telemetry/logger.ts';
import { MigrationsPendingError } from './coordinator.ts';
import { newTokenId } from './new-id.ts';
import { newToken } from './new-token.ts';
import { createStore } from './store/store.ts';
import { createToken } from './store/tokens/create-token.ts';

/**
 * Creates the first token of an administrator directly in the database. `graft token create` creates the others with it.
 *
 * @returns the secret, which is not stored anywhere.
 * @throws MigrationsPendingError, MigrationError, DatabaseUnavailableError
 */
export async function createAdminToken(databaseUrl: string, name: string, log: Logger): Promise<string> {
  const { pending } = await readMigrationStatus(databaseUrl);
  if (pending.length > 0) throw new MigrationsPendingError(pending);
  const pool = createPool(databaseUrl, {
    max: 1,
    applicationName: 'graft-create-admin-token',
    log,
    outage: new OutageLog(log),
  });
  const { prisma } = createStore({ pool, log, leaseMs: 0 });
  try {
    const { secret, hash: tokenHash } = newToken();
    await createToken(
      { prisma },
      { tokenId: newTokenId(), tokenHash, name, role: 'ADMIN', trainerIds: [], expireTime: null },
    );
    return secret;
  } finally {
    await prisma.$disconnect();
    await pool.end();
  }
}
