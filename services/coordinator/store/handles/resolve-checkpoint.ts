import { MAX_AMBIGUOUS, matchHandle } from '../../../core/handle.ts';
import type { HandleMatches } from '../../../core/handle.ts';
import type { HandleCandidate } from '../../../core/records/handle.ts';
import type { Store } from '../store.ts';
import { found, notFound, resolutionOf, startsWith } from './resolution.ts';
import type { Resolution } from './resolution.ts';
import { bestRun, resolveNamedRun } from './resolve-run.ts';
import { resolveSweep } from './resolve-sweep.ts';
import { trainerOf } from '../run-sql.ts';

/**
 * Finds a checkpoint by identity or a prefix of it. A handle of a run stands for the checkpoint of its best epoch, one of a sweep for
 * that of its best run. A sweep's whole name precedes a prefix of a checkpoint's identity.
 */
export async function resolveCheckpoint(store: Store, handle: string): Promise<Resolution> {
  const checkpoints = await checkpointsByPrefix(store, handle);
  const byId = resolutionOf('checkpoint', handle, checkpoints);
  if (byId !== null && checkpoints.isWhole) return byId;
  const run = await resolveNamedRun(store, handle);
  if (run !== null) return checkpointOf(store, run);
  const sweep = await resolveSweep(store, handle, 'checkpoint, run or sweep');
  if (byId !== null && !sweep.isWhole) return byId;
  return sweep.outcome === 'FOUND' ? checkpointOf(store, await bestRun(store, sweep.id)) : sweep;
}

/** Finds a checkpoint by identity, removed ones included; else stored ones by a prefix, in the order of the index of prefixes. */
async function checkpointsByPrefix(store: Store, handle: string): Promise<HandleMatches<HandleCandidate>> {
  const columns = `checkpoint_id AS id, '' AS "displayName", kind AS state, create_time AS "createTime"`;
  const byId = await store.pool.query<HandleCandidate>(`SELECT ${columns} FROM checkpoints WHERE checkpoint_id = $1`, [
    handle,
  ]);
  if (byId.rows.length > 0) return matchHandle(handle, byId.rows);
  const { rows } = await store.pool.query<HandleCandidate>(
    `SELECT ${columns} FROM checkpoints WHERE state = 'STORED' AND checkpoint_id LIKE $1
      ORDER BY checkpoint_id USING ~<~ LIMIT $2`,
    [startsWith(handle), MAX_AMBIGUOUS + 1],
  );
  return matchHandle(handle, rows);
}

/** Returns the stored checkpoint of a run's best epoch. That of a shared head, or of a result that it took, belongs to the run that trained it. */
async function checkpointOf(store: Store, run: Resolution): Promise<Resolution> {
  if (run.outcome !== 'FOUND') return run;
  const { rows } = await store.pool.query<{ readonly checkpoint_id: string }>(
    `SELECT c.checkpoint_id FROM runs r
       JOIN runs o ON o.run_id = coalesce(r.reused_run_id, r.run_id)
       JOIN checkpoints c ON c.state = 'STORED' AND c.kind = 'BEST' AND c.stage = r.best_stage AND c.epoch = r.best_epoch
        AND c.run_id = ${trainerOf('o', 'c.stage')}
      WHERE r.run_id = $1 ORDER BY c.create_time DESC LIMIT 1`,
    [run.id],
  );
  if (rows[0] !== undefined) return found(rows[0].checkpoint_id);
  return notFound(
    `Run ${run.id} has no stored checkpoint of its best epoch: it is not stored yet, or retention removed it, because others ` +
      'of the sweep are better.',
  );
}
