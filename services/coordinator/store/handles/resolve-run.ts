import { BEST, MAX_AMBIGUOUS, matchHandle, parseRunOfSweep } from '../../../core/handle.ts';
import type { HandleMatches, RunOfSweep } from '../../../core/handle.ts';
import type { HandleCandidate } from '../../../core/records/handle.ts';
import { canBeBest, rankKey } from '../run-sql.ts';
import type { Store } from '../store.ts';
import { ambiguous, found, notFound, resolutionOf, startsWith } from './resolution.ts';
import type { Resolution } from './resolution.ts';
import { resolveSweep } from './resolve-sweep.ts';

/** Finds a run by identity, a prefix of it, its sweep and number, or as the only run of a sweep. */
export async function resolveRun(store: Store, handle: string): Promise<Resolution> {
  const run = await resolveNamedRun(store, handle);
  if (run !== null) return run;
  const sweep = await resolveSweep(store, handle, 'run or sweep');
  return sweep.outcome === 'FOUND' ? onlyRun(store, handle, sweep.id) : sweep;
}

/** Finds a run by identity, a prefix of it, or its sweep and number; null: the handle names no run. */
export async function resolveNamedRun(store: Store, handle: string): Promise<Resolution | null> {
  const runs = await runsByPrefix(store, handle);
  const named = parseRunOfSweep(handle);
  if (named !== null && !runs.isWhole) return resolveRunOfSweep(store, named);
  return resolutionOf('run', handle, runs);
}

/** Finds a run by its number within a sweep, or the best one. */
async function resolveRunOfSweep(store: Store, { sweep: handle, run }: RunOfSweep): Promise<Resolution> {
  const sweep = await resolveSweep(store, handle);
  if (sweep.outcome !== 'FOUND') return sweep;
  if (run === BEST) return bestRun(store, sweep.id);
  const { rows } = await store.pool.query<{ readonly run_id: string }>(
    'SELECT run_id FROM runs WHERE sweep_id = $1 AND run_index = $2',
    [sweep.id, run],
  );
  if (rows[0] !== undefined) return found(rows[0].run_id);
  const { numbers } = await summarize(store, sweep.id);
  return notFound(`There is no run ${run} in sweep ${sweep.id}: ${numbers}.`);
}

/** Returns the winner of a sweep that has ended; else its best run by the rule of the leaderboard. */
export async function bestRun(store: Store, sweepId: string): Promise<Resolution> {
  const { rows } = await store.pool.query<{ readonly run_id: string }>(
    `SELECT r.run_id FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id LEFT JOIN winners w ON w.run_id = r.run_id
      WHERE r.sweep_id = $1 AND ${canBeBest('r', 's')} ORDER BY w.run_id IS NULL, ${rankKey('r', 's')} LIMIT 1`,
    [sweepId],
  );
  if (rows[0] !== undefined) return found(rows[0].run_id);
  return notFound(`Sweep ${sweepId} has no best run: no usable run has a value of the objective.`);
}

/** Finds runs by identity or a prefix that includes the sweep's identity and the hyphen after it. */
async function runsByPrefix(store: Store, handle: string): Promise<HandleMatches<HandleCandidate>> {
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT run_id AS id, '' AS "displayName", state, create_time AS "createTime" FROM runs
      WHERE run_id = $1 OR (sweep_id = $2 AND run_id LIKE $3)
      ORDER BY run_id <> $1, run_index LIMIT $4`,
    [handle, handle.slice(0, Math.max(0, handle.lastIndexOf('-'))), startsWith(handle), MAX_AMBIGUOUS + 1],
  );
  return matchHandle(handle, rows);
}

async function onlyRun(store: Store, handle: string, sweepId: string): Promise<Resolution> {
  const { count, firstRunId, numbers } = await summarize(store, sweepId);
  if (count === 1) return found(firstRunId);
  if (count === 0) return notFound(`'${handle}' is sweep ${sweepId}, which has no runs.`);
  return ambiguous(
    `'${handle}' is sweep ${sweepId} with ${count} runs: ${numbers}. Name one, as in ${handle}/0, or the best one: ${handle}/${BEST}.`,
    [],
  );
}

async function summarize(
  store: Store,
  sweepId: string,
): Promise<{ readonly count: number; readonly firstRunId: string; readonly numbers: string }> {
  const { rows } = await store.pool.query<{ readonly run_id: string; readonly run_count: number }>(
    `SELECT run_id, (SELECT count(*)::int FROM runs WHERE sweep_id = $1) AS run_count
       FROM runs WHERE sweep_id = $1 ORDER BY run_index LIMIT 1`,
    [sweepId],
  );
  const { run_id: firstRunId = '', run_count: count = 0 } = rows[0] ?? {};
  const numbers =
    count === 0 ? 'it has none' : count === 1 ? 'the only one is 0' : `their numbers are 0 to ${count - 1}`;
  return { count, firstRunId, numbers };
}
