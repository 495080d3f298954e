import { MAX_REPAIRS, RETRY, WAIT } from '../../../core/repair.ts';
import type { Repair } from '../../../core/repair.ts';
import { countTasks } from '../tasks/insert-tasks.ts';
import type { FencedTask, TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { insertFirst, waitForMakers } from '../tasks/insert-first.ts';
import { LIVE_TASKS } from '../state-sql.ts';

/**
 * Schedules the repair of a lost or damaged manifest by another INDEX task, one in the cluster; all tasks of the sweep depend on it.
 * `completeIndex` requires that the content is the same.
 */
export async function reindex({ tx, sweep, task }: TaskScope, message: string): Promise<Repair | null> {
  const { rows } = await tx.query<{ dataset_id: string }>(
    `SELECT d.dataset_id FROM sweeps s JOIN datasets d ON d.dataset_id = s.dataset_id
      WHERE s.sweep_id = $1 AND s.planned FOR NO KEY UPDATE OF d`,
    [sweep.sweepId],
  );
  const datasetId = rows[0]?.dataset_id;
  if (datasetId === undefined) return null;
  if (await wasIndexedSince(tx, task, datasetId)) return RETRY;
  const makerId = (await findLiveIndexing(tx, datasetId)) ?? (await insertIndexing(tx, sweep.sweepId));
  if (makerId === null) {
    const reason =
      `the manifest was lost or damaged again after this sweep had indexed its data set ${MAX_REPAIRS} more times; check the ` +
      `disk of the artifact store: ${message}`;
    return { waits: false, failure: { reason, runIds: null } };
  }
  const ready = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks WHERE sweep_id = $1 AND state = 'READY' AND stage <> 'INDEX'`,
    [sweep.sweepId],
  );
  await waitForMakers(tx, [task.taskId, ...ready.rows.map(({ task_id }) => task_id)], [makerId]);
  return WAIT;
}

/** Returns whether any sweep has indexed the data set since the attempt began. */
async function wasIndexedSince(tx: StoreTransaction, task: FencedTask, datasetId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `SELECT 1 FROM sweeps s JOIN tasks i ON i.sweep_id = s.sweep_id AND i.stage = 'INDEX' AND i.state = 'SUCCEEDED'
       JOIN attempts a ON a.task_id = $1 AND a.lease_epoch = $2
      WHERE s.dataset_id = $3 AND i.end_time > a.create_time LIMIT 1`,
    [task.taskId, task.leaseEpoch, datasetId],
  );
  return rowCount !== 0;
}

async function findLiveIndexing(tx: StoreTransaction, datasetId: string): Promise<string | null> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT i.task_id FROM sweeps s JOIN tasks i ON i.sweep_id = s.sweep_id AND i.stage = 'INDEX'
      WHERE s.dataset_id = $1 AND s.state = 'ACTIVE' AND i.state IN ${LIVE_TASKS}
      ORDER BY i.task_id LIMIT 1`,
    [datasetId],
  );
  return rows[0]?.task_id ?? null;
}

/** Inserts an INDEX task. @returns null when the sweep has reindexed `MAX_REPAIRS` times */
async function insertIndexing(tx: StoreTransaction, sweepId: string): Promise<string | null> {
  const { rows } = await tx.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM tasks WHERE sweep_id = $1 AND stage = 'INDEX'`,
    [sweepId],
  );
  // The first INDEX task planned the sweep.
  if ((rows[0]?.count ?? 0) > MAX_REPAIRS) return null;
  const taskId = `${sweepId}-i${await countTasks(tx, sweepId)}`;
  const description = 'reindex the data set, whose manifest was lost or damaged';
  await insertFirst(tx, sweepId, { taskId, stage: 'INDEX', runIds: [], featureSets: [], dependsOn: [], description });
  return taskId;
}
