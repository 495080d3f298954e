import type { TaskForecast } from '../../../core/planner/cost/task-cost.ts';
import type { Stage, TestRole } from '../../../core/task.ts';
import type { StoreTransaction } from '../transaction.ts';
import { requireMemory } from './require-memory.ts';

/** A task to be inserted; the planner's tasks have this shape. */
export interface NewTask {
  readonly taskId: string;
  readonly stage: Stage;
  readonly runIds: readonly string[];
  /** Keys of existing rows of `feature_sets`. */
  readonly featureSets: readonly { readonly key: string }[];
  readonly dependsOn: readonly string[];
  readonly description: string;
  /** Absent for a task that was not planned ahead. */
  readonly forecast?: TaskForecast;
  /** Test roles by run, for EVALUATE. */
  readonly roles?: Readonly<Record<string, TestRole>>;
  /** Epoch after which its runs pause; null or absent: at none. */
  readonly pauseEpoch?: number | null;
  /** Rung that it trains to, where its runs wait at rungs; null or absent elsewhere. */
  readonly rung?: number | null;
  /** Lease epoch of the last attempt of an earlier task of the same stage of its runs; absent: there was none. */
  readonly leaseEpoch?: number;
}

/**
 * Inserts tasks with their runs, feature sets and dependencies, after the tasks that the sweep has. Tasks without dependencies
 * are READY. Columns are unnested, so that a plan of thousands of tasks is four statements.
 */
export async function insertTasks(tx: StoreTransaction, sweepId: string, tasks: readonly NewTask[]): Promise<void> {
  if (tasks.length === 0) return;
  await tx.query(
    `INSERT INTO tasks (task_id, sweep_id, stage, state, position, description,
                        cost_class, model_seconds, forecast_seconds, forecast_memory_bytes, pause_epoch, rung, lease_epoch)
     SELECT t.task_id, $1, t.stage, t.state, t.ordinality + (SELECT coalesce(max(position), 0) FROM tasks WHERE sweep_id = $1),
            t.description, t.cost_class, t.model_seconds, t.forecast_seconds, t.forecast_memory_bytes, t.pause_epoch, t.rung,
            t.lease_epoch
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::float8[], $9::bigint[],
                   $10::int[], $11::int[], $12::int[])
            WITH ORDINALITY AS t (task_id, stage, state, description, cost_class, model_seconds, forecast_seconds,
                                  forecast_memory_bytes, pause_epoch, rung, lease_epoch, ordinality)`,
    [
      sweepId,
      tasks.map(({ taskId }) => taskId),
      tasks.map(({ stage }) => stage),
      tasks.map(({ dependsOn }) => (dependsOn.length === 0 ? 'READY' : 'WAITING')),
      tasks.map(({ description }) => description),
      tasks.map(({ forecast }) => forecast?.costClass ?? null),
      tasks.map(({ forecast }) => forecast?.modelSeconds ?? null),
      tasks.map(({ forecast }) => forecast?.seconds ?? null),
      tasks.map(({ forecast }) => forecast?.memoryBytes ?? null),
      tasks.map(({ pauseEpoch }) => pauseEpoch ?? null),
      tasks.map(({ rung }) => rung ?? null),
      tasks.map(({ leaseEpoch }) => leaseEpoch ?? 0),
    ],
  );
  await insertTaskRuns(tx, tasks);
  await insertPairs(
    tx,
    'INSERT INTO task_feature_sets (task_id, feature_key)',
    tasks.flatMap(({ taskId, featureSets }) => featureSets.map(({ key }) => [taskId, key] as const)),
  );
  await insertPairs(
    tx,
    'INSERT INTO task_dependencies (task_id, depends_on_id)',
    tasks.flatMap(({ taskId, dependsOn }) => dependsOn.map((id) => [taskId, id] as const)),
  );
  await requireMemory(tx, sweepId);
}

async function insertTaskRuns(tx: StoreTransaction, tasks: readonly NewTask[]): Promise<void> {
  const rows = tasks.flatMap(({ taskId, runIds, roles }) =>
    runIds.map((runId, position) => ({ taskId, runId, position, role: roles?.[runId] ?? null })),
  );
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO task_runs (task_id, run_id, position, role)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[])`,
    [
      rows.map(({ taskId }) => taskId),
      rows.map(({ runId }) => runId),
      rows.map(({ position }) => position),
      rows.map(({ role }) => role),
    ],
  );
}

async function insertPairs(
  tx: StoreTransaction,
  insert: string,
  pairs: readonly (readonly [string, string])[],
): Promise<void> {
  if (pairs.length === 0) return;
  await tx.query(`${insert} SELECT DISTINCT * FROM unnest($1::text[], $2::text[])`, [
    pairs.map(([first]) => first),
    pairs.map(([, second]) => second),
  ]);
}

/** Counts the tasks of a locked sweep. Tasks are never deleted, so no identity contains this number yet. */
export async function countTasks(tx: StoreTransaction, sweepId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>('SELECT count(*)::int AS count FROM tasks WHERE sweep_id = $1', [
    sweepId,
  ]);
  return rows[0]?.count ?? 0;
}
