import { matchHandle } from '../../../core/handle.ts';
import type { HandleCandidate } from '../../../core/records/handle.ts';
import type { Store } from '../store.ts';
import { resolutionOf, unknown } from './resolution.ts';
import type { Resolution } from './resolution.ts';

/** Finds a trainer by identity, host name, or a prefix of either. A cluster has few enough trainers to read them all. */
export async function resolveTrainer(store: Store, handle: string): Promise<Resolution> {
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT trainer_id AS id, hostname AS "displayName", state, create_time AS "createTime" FROM trainers
      ORDER BY heartbeat_time DESC, trainer_id`,
  );
  return resolutionOf('trainer', handle, matchHandle(handle, rows)) ?? unknown('trainer', handle, rows);
}
