import { ArtifactDamagedError, ArtifactMissingError, NotFoundError } from '../../../core/errors.ts';
import type { CheckpointRecord } from '../../../core/records/checkpoint.ts';
import type { Page } from '../page.ts';
import type { Store } from '../store.ts';
import { CHECKPOINT_COLUMNS, toCheckpoint } from './checkpoint-row.ts';
import type { CheckpointRow } from './checkpoint-row.ts';

export interface CheckpointKey {
  readonly runId: string;
  readonly createTime: string;
  readonly checkpointId: string;
}

/**
 * Lists the stored checkpoints of a sweep or of one run, by run and age. Those of a shared head are listed for each run that shares it,
 * and those of a result for each run that took it; each names the run that trained it.
 */
export async function listCheckpoints(
  store: Store,
  of: { readonly sweepId: string | null; readonly runId: string | null },
  after: CheckpointKey | null,
  limit: number,
): Promise<Page<CheckpointRecord, CheckpointKey>> {
  const { rows } = await store.pool.query<CheckpointRow & { key_time: string }>(
    `SELECT ${CHECKPOINT_COLUMNS}, c.create_time::text AS key_time
       FROM checkpoints c JOIN runs r ON r.run_id = c.run_id
      WHERE c.state = 'STORED' AND ($1::text IS NULL OR r.sweep_id = $1) 
        AND ($2::text IS NULL OR EXISTS (
              SELECT 1 FROM runs u JOIN runs o ON o.run_id = coalesce(u.reused_run_id, u.run_id)
               WHERE u.run_id = $2 AND (c.run_id = o.run_id OR c.stage = 'HEAD' AND c.run_id = o.head_run_id)))
        AND ($3::text IS NULL OR (c.run_id, c.create_time, c.checkpoint_id) > ($3, $4::timestamptz, $5))
      ORDER BY c.run_id, c.create_time, c.checkpoint_id
      LIMIT $6`,
    [of.sweepId, of.runId, after?.runId ?? null, after?.createTime ?? null, after?.checkpointId ?? null, limit + 1],
  );
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const next =
    rows.length > limit && last
      ? { runId: last.run_id, createTime: last.key_time, checkpointId: last.checkpoint_id }
      : null;
  return { items: items.map(toCheckpoint), next };
}

/** A checkpoint with the state of its file and the damage that was found in it. */
type StatedRow = CheckpointRow & { readonly state: string; readonly damage: string | null };

/** Returns a stored checkpoint. @throws NotFoundError; ArtifactMissingError with the reason of the removal; ArtifactDamagedError */
export async function findCheckpoint(store: Store, checkpointId: string): Promise<CheckpointRecord> {
  const { rows } = await store.pool.query<StatedRow>(
    `SELECT ${CHECKPOINT_COLUMNS}, c.state, c.damage FROM checkpoints c WHERE c.checkpoint_id = $1`,
    [checkpointId],
  );
  return presentCheckpoint(rows[0], checkpointId);
}

/**
 * Pins a checkpoint, which exempts it from retention, or unpins it.
 *
 * @throws NotFoundError; ArtifactMissingError when its file was removed already; ArtifactDamagedError
 */
export async function pinCheckpoint(store: Store, checkpointId: string, pinned: boolean): Promise<CheckpointRecord> {
  const { rows } = await store.pool.query<StatedRow>(
    `UPDATE checkpoints c SET pinned = CASE c.state WHEN 'STORED' THEN $2 ELSE c.pinned END
      WHERE c.checkpoint_id = $1 RETURNING ${CHECKPOINT_COLUMNS}, c.state, c.damage`,
    [checkpointId, pinned],
  );
  return presentCheckpoint(rows[0], checkpointId);
}

function presentCheckpoint(row: StatedRow | undefined, checkpointId: string): CheckpointRecord {
  if (row === undefined) throw new NotFoundError('checkpoint', checkpointId);
  if (row.state === 'STORED') return toCheckpoint(row);
  if (row.damage !== null) {
    throw new ArtifactDamagedError(row.uri, `of checkpoint '${checkpointId}' was taken out of use: ${row.damage}`);
  }
  const why =
    row.kind === 'LAST'
      ? 'it was for resuming, and its run has a later one or has ended'
      : 'a later epoch of its run was better, or its run is not among the best of its sweep';
  throw new ArtifactMissingError(row.uri, `of checkpoint '${checkpointId}' was removed by retention: ${why}`);
}
