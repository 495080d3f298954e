import { LATEST, MAX_AMBIGUOUS, matchHandle } from '../../../core/handle.ts';
import type { HandleCandidate } from '../../../core/records/handle.ts';
import type { Store } from '../store.ts';
import { found, notFound, resolutionOf, startsWith, unknown } from './resolution.ts';
import type { Resolution } from './resolution.ts';

/** Number of sweeps, the latest ones, whose names are compared with an unknown handle. */
const COMPARED_SWEEPS = 500;

/**
 * Finds a sweep by identity, display name, a prefix of either, or `latest`.
 *
 * @param kinds kinds of things that the handle could have named, for the message.
 */
export async function resolveSweep(store: Store, handle: string, kinds = 'sweep'): Promise<Resolution> {
  if (handle === LATEST) {
    const [latest] = await latestSweeps(store, 1);
    return latest === undefined ? notFound('There is no sweep yet.') : found(latest.id);
  }
  // One more than is listed, to say that there are more.
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT sweep_id AS id, display_name AS "displayName", state, create_time AS "createTime" FROM sweeps
      WHERE lower(sweep_id) LIKE lower($2) OR (display_name <> '' AND lower(display_name) LIKE lower($2))
      ORDER BY sweep_id <> $1, lower(sweep_id) <> lower($1), lower(display_name) <> lower($1), create_time DESC, sweep_id
      LIMIT $3`,
    [handle, startsWith(handle), MAX_AMBIGUOUS + 1],
  );
  return (
    resolutionOf('sweep', handle, matchHandle(handle, rows)) ??
    unknown(kinds, handle, await latestSweeps(store, COMPARED_SWEEPS))
  );
}

async function latestSweeps(store: Store, count: number): Promise<readonly HandleCandidate[]> {
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT sweep_id AS id, display_name AS "displayName", state, create_time AS "createTime" FROM sweeps
      ORDER BY create_time DESC, sweep_id DESC LIMIT $1`,
    [count],
  );
  return rows;
}
