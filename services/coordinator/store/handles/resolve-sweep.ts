import { LATEST, MAX_AMBIGUOUS, matchHandle } from '../../../core/handle.ts';
import type { HandleCandidate } from '../../../core/records/handle.ts';
import type { Store } from '../store.ts';
import { found, notFound, resolutionOf, startsWith, unknown } from './resolution.ts';
import type { Resolution } from './resolution.ts';

/** Most sweeps that are read for a prefix, by identity and by name, and for the names like an unknown handle (the latest). */
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
  const sweeps = await matchingSweeps(store, handle);
  return (
    resolutionOf('sweep', handle, matchHandle(handle, sweeps)) ??
    unknown(kinds, handle, await latestSweeps(store, COMPARED_SWEEPS))
  );
}

/** Finds the sweep with this identity; else those with this name; else those of which either starts with the handle. */
async function matchingSweeps(store: Store, handle: string): Promise<readonly HandleCandidate[]> {
  const byId = await sweepsWhere(store, 'lower(sweep_id) = lower($1)', handle);
  if (byId.length > 0) return byId;
  const byName = await sweepsWhere(store, `display_name <> '' AND lower(display_name) = lower($1)`, handle);
  if (byName.length > 0) return byName;
  return sweepsWhere(store, BY_PREFIX, startsWith(handle));
}

/** Sweeps of a prefix, and not all of them: one letter is the beginning of every identity. Without an order, the reading stops early. */
const BY_PREFIX = `sweep_id IN (
  (SELECT sweep_id FROM sweeps WHERE lower(sweep_id) LIKE lower($1) LIMIT ${COMPARED_SWEEPS})
  UNION ALL
  (SELECT sweep_id FROM sweeps WHERE display_name <> '' AND lower(display_name) LIKE lower($1) LIMIT ${COMPARED_SWEEPS}))`;

/** Returns the latest sweeps of a condition: one more than is listed, to say that there are more. */
async function sweepsWhere(store: Store, condition: string, value: string): Promise<readonly HandleCandidate[]> {
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT sweep_id AS id, display_name AS "displayName", state, create_time AS "createTime" FROM sweeps
      WHERE ${condition} ORDER BY create_time DESC, sweep_id LIMIT $2`,
    [value, MAX_AMBIGUOUS + 1],
  );
  return rows;
}

async function latestSweeps(store: Store, count: number): Promise<readonly HandleCandidate[]> {
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT sweep_id AS id, display_name AS "displayName", state, create_time AS "createTime" FROM sweeps
      ORDER BY create_time DESC, sweep_id DESC LIMIT $1`,
    [count],
  );
  return rows;
}
