import { IllegalStateError, InUseError, NotFoundError } from '../../../core/errors.ts';
import type { DeletedFile, SweepDeletion } from '../../../core/records/deletion.ts';
import { featureSetUri } from '../../../core/reports/check-features.ts';
import { isTerminalSweepState, SWEEP_STATES } from '../../../core/states/sweep-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { lockRetention } from '../checkpoints/lock-retention.ts';
import { addRemovals } from '../removals/file-removals.ts';
import { LEASED_TASKS } from '../state-sql.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { deleteRows } from './delete-rows.ts';
import { describeReferences } from './find-references.ts';

/** Most files that a dry run lists. */
const MAX_FILES = 1_000;

export interface DeleteOptions {
  /** True: nothing is deleted. */
  readonly dryRun: boolean;
  /** Name of the token; empty: calls need no tokens. */
  readonly deletedBy: string;
}

/**
 * Deletes an ended sweep with all of its rows, and leaves its files to the retention loop: its checkpoints, and the feature sets and the
 * manifest that no other sweep uses. Deleting a deleted sweep returns what the deletion returned.
 *
 * @throws NotFoundError; IllegalStateError for a live sweep; InUseError while attempts run, other sweeps refer to it, or checkpoints are
 *   pinned
 */
export async function deleteSweep(store: Store, sweepId: string, options: DeleteOptions): Promise<SweepDeletion> {
  return inTransaction(
    store,
    async (tx) => {
      const sweep = await lockForDeletion(tx, sweepId);
      if (sweep === null) return readDeleted(tx, sweepId);
      await requireUnused(tx, sweepId, sweep.state);
      const found = await findContent(tx, sweepId, sweep.datasetId);
      const counts = {
        sweepId,
        displayName: sweep.displayName,
        runCount: found.runCount,
        checkpointCount: found.checkpoints.length,
        featureSetCount: found.featureSets.length,
        manifestCount: found.manifests.length,
        sizeBytes: [...found.checkpoints, ...found.featureSets].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      };
      const files = [...found.checkpoints, ...found.featureSets, ...found.manifests];
      if (options.dryRun) {
        files.sort((a, b) => b.sizeBytes - a.sizeBytes || (a.uri < b.uri ? -1 : 1));
        return { ...counts, files: files.slice(0, MAX_FILES), deleteTime: null };
      }
      // An extraction that was cancelled may have left a file without having reported it.
      await addRemovals(tx, [...files.map(({ uri }) => uri), ...found.featureKeys.map(featureSetUri)]);
      await deleteRows(tx, sweepId, found);
      const deleteTime = await recordDeletion(tx, counts, options.deletedBy);
      return { ...counts, files: [], deleteTime };
    },
    'steer',
  );
}

interface DoomedSweep {
  readonly state: SweepState;
  readonly displayName: string;
  readonly datasetId: string | null;
}

/** Locks the sweep against all other uses; null: it does not exist. The data set is locked next, before other sweeps can use it. */
async function lockForDeletion(tx: StoreTransaction, sweepId: string): Promise<DoomedSweep | null> {
  const { rows } = await tx.query<{ state: SweepState; display_name: string; dataset_id: string | null }>(
    'SELECT state, display_name, dataset_id FROM sweeps WHERE sweep_id = $1 FOR UPDATE',
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined) return null;
  await tx.query('SELECT 1 FROM datasets WHERE dataset_id = $1 FOR UPDATE', [row.dataset_id]);
  return { state: row.state, displayName: row.display_name, datasetId: row.dataset_id };
}

async function requireUnused(tx: StoreTransaction, sweepId: string, state: SweepState): Promise<void> {
  const subject = `sweep ${sweepId}`;
  if (!isTerminalSweepState(state)) {
    throw new IllegalStateError(subject, state, 'delete', [...SWEEP_STATES.terminal], 'Cancel it first.');
  }
  const { rows: leased } = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks WHERE sweep_id = $1 AND state IN ${LEASED_TASKS} ORDER BY task_id`,
    [sweepId],
  );
  if (leased[0] !== undefined) {
    const more = leased.length > 1 ? ` and ${leased.length - 1} more` : '';
    const why = `task ${leased[0].task_id}${more} still runs. Try again when its trainer has stopped it, or its lease has expired.`;
    throw new InUseError(subject, state, 'delete', why);
  }
  // A sweep that is being planned may come to refer to it.
  await lockRetention(tx, 'exclusive');
  const references = await describeReferences(tx, sweepId);
  if (references !== null) {
    throw new InUseError(subject, state, 'delete', `${references}. Delete these first, or keep the sweep.`);
  }
  const { rows: pinned } = await tx.query<{ checkpoint_id: string }>(
    `SELECT c.checkpoint_id FROM runs r JOIN checkpoints c ON c.run_id = r.run_id
      WHERE r.sweep_id = $1 AND c.pinned AND c.state = 'STORED' ORDER BY c.checkpoint_id`,
    [sweepId],
  );
  if (pinned[0] !== undefined) {
    const why = `pinned checkpoints of it: ${countOf(pinned.length, 'checkpoint')}, for example ${pinned[0].checkpoint_id}. Unpin them first.`;
    throw new InUseError(subject, state, 'delete', why);
  }
}

interface Content {
  readonly runCount: number;
  readonly checkpoints: readonly DeletedFile[];
  readonly featureSets: readonly DeletedFile[];
  readonly manifests: readonly DeletedFile[];
  /** Keys of all feature sets that only this sweep uses, stored or not. */
  readonly featureKeys: readonly string[];
  readonly datasetIds: readonly string[];
}

/** Finds what belongs to the sweep alone. Locks tasks, then feature sets, then runs, so that no other sweep begins to use them. */
async function findContent(tx: StoreTransaction, sweepId: string, datasetId: string | null): Promise<Content> {
  await tx.query('SELECT 1 FROM tasks WHERE sweep_id = $1 ORDER BY task_id FOR UPDATE', [sweepId]);
  const keys = await lockFeatureSets(tx, sweepId);
  const runs = await tx.query('SELECT 1 FROM runs WHERE sweep_id = $1 ORDER BY run_id FOR UPDATE', [sweepId]);
  const checkpoints = await tx.query<{ uri: string; size: string }>(
    `SELECT c.uri, c.size_bytes::text AS size FROM runs r JOIN checkpoints c ON c.run_id = r.run_id
      WHERE r.sweep_id = $1 AND c.state <> 'DELETED'`,
    [sweepId],
  );
  const sets = await tx.query<{ feature_key: string; uri: string | null; state: string; size: string }>(
    `SELECT f.feature_key, f.uri, f.state, f.size_bytes::text AS size FROM feature_sets f
      WHERE f.feature_key = ANY($2)
        AND NOT EXISTS (SELECT 1 FROM task_feature_sets u JOIN tasks t ON t.task_id = u.task_id
                         WHERE u.feature_key = f.feature_key AND t.sweep_id <> $1)`,
    [sweepId, keys],
  );
  const datasets = await tx.query<{ dataset_id: string; manifest_uri: string }>(
    `SELECT d.dataset_id, d.manifest_uri FROM datasets d
      WHERE d.dataset_id = $2
        AND NOT EXISTS (SELECT 1 FROM sweeps o WHERE o.dataset_id = d.dataset_id AND o.sweep_id <> $1)`,
    [sweepId, datasetId],
  );
  return {
    runCount: runs.rowCount ?? 0,
    checkpoints: checkpoints.rows.map(({ uri, size }) => ({ uri, sizeBytes: Number(size) })),
    featureSets: sets.rows
      .filter(({ state }) => state === 'COMPUTED')
      .map(({ feature_key, uri, size }) => ({ uri: uri ?? featureSetUri(feature_key), sizeBytes: Number(size) })),
    manifests: datasets.rows.map(({ manifest_uri }) => ({ uri: manifest_uri, sizeBytes: 0 })),
    featureKeys: sets.rows.map(({ feature_key }) => feature_key),
    datasetIds: datasets.rows.map(({ dataset_id }) => dataset_id),
  };
}

async function lockFeatureSets(tx: StoreTransaction, sweepId: string): Promise<string[]> {
  const { rows } = await tx.query<{ feature_key: string }>(
    `SELECT feature_key FROM feature_sets
      WHERE feature_key IN (SELECT u.feature_key FROM task_feature_sets u JOIN tasks t ON t.task_id = u.task_id
                             WHERE t.sweep_id = $1)
      ORDER BY feature_key FOR UPDATE`,
    [sweepId],
  );
  return rows.map(({ feature_key }) => feature_key);
}

async function recordDeletion(
  tx: StoreTransaction,
  counts: Omit<SweepDeletion, 'files' | 'deleteTime'>,
  deletedBy: string,
): Promise<Date> {
  const { rows } = await tx.query<{ delete_time: Date }>(
    `INSERT INTO deleted_sweeps (sweep_id, display_name, run_count, checkpoint_count, feature_set_count, manifest_count,
                                 size_bytes, deleted_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING delete_time`,
    [
      counts.sweepId,
      counts.displayName,
      counts.runCount,
      counts.checkpointCount,
      counts.featureSetCount,
      counts.manifestCount,
      counts.sizeBytes,
      deletedBy,
    ],
  );
  if (rows[0] === undefined) throw new Error(`The deletion of sweep ${counts.sweepId} was not recorded.`);
  return rows[0].delete_time;
}

/** @throws NotFoundError for a sweep that never existed */
async function readDeleted(tx: StoreTransaction, sweepId: string): Promise<SweepDeletion> {
  const { rows } = await tx.query<{
    display_name: string;
    run_count: number;
    checkpoint_count: number;
    feature_set_count: number;
    manifest_count: number;
    size: string;
    delete_time: Date;
  }>(
    `SELECT display_name, run_count, checkpoint_count, feature_set_count, manifest_count, size_bytes::text AS size, delete_time
       FROM deleted_sweeps WHERE sweep_id = $1`,
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined) throw new NotFoundError('sweep', sweepId);
  return {
    sweepId,
    displayName: row.display_name,
    runCount: row.run_count,
    checkpointCount: row.checkpoint_count,
    featureSetCount: row.feature_set_count,
    manifestCount: row.manifest_count,
    sizeBytes: Number(row.size),
    files: [],
    deleteTime: row.delete_time,
  };
}
