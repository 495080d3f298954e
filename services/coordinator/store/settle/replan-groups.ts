import type { PlannedTask } from '../../../core/planner/plan.ts';
import { lockSweep } from '../move-sweep.ts';
import { moveTasks } from '../move-tasks.ts';
import { clusterDataOf } from '../planning/stored-plans.ts';
import type { RegroupInput } from '../planning/stored-plans.ts';
import { isHeadAwaited } from '../run-sql.ts';
import type { Store } from '../store.ts';
import { readCluster } from '../sweeps/read-cluster.ts';
import { readIndexed } from '../sweeps/read-indexed.ts';
import { countTasks, insertTasks } from '../tasks/insert-tasks.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { settleSweep } from './settle-sweep.ts';
import { CUT_SHORT_RUNS, IDLE_RUNS, PENDING_TASKS, TRAINED_STAGE_LIST, TRAINING_RUNS } from '../state-sql.ts';

type GroupStage = 'HEAD' | 'FINE_TUNE';

/** A task that was never leased. */
interface UnleasedTask {
  readonly taskId: string;
  readonly stage: GroupStage;
  readonly runIds: readonly string[];
}

/**
 * Returns sweeps whose training tasks that were never leased should be regrouped: the groups were planned for another number of slots, or
 * heads are grouped with runs that have ended since. Fine-tunings that lose a run are not regrouped: early stopping does that often, and
 * the trainer skips such runs.
 */
export async function findReplannableSweeps(store: Store, limit: number): Promise<string[]> {
  if (!store.plansAdaptively) return [];
  const { rows } = await store.pool.query<{ sweep_id: string }>(
    `SELECT DISTINCT t.sweep_id
       FROM tasks t
       JOIN sweeps s ON s.sweep_id = t.sweep_id AND s.state = 'ACTIVE' AND s.planned_slot_count IS NOT NULL
      WHERE t.stage IN ${TRAINED_STAGE_LIST} AND t.state IN ${PENDING_TASKS} AND t.lease_epoch = 0 AND t.rung IS NULL
        AND (s.planned_slot_count <> (${COUNT_SLOTS})
             OR t.stage = 'HEAD'
                AND EXISTS (SELECT 1 FROM task_runs tr JOIN runs r ON r.run_id = tr.run_id
                             WHERE tr.task_id = t.task_id AND r.state IN ${CUT_SHORT_RUNS}
                               AND NOT ${isHeadAwaited('r', 't')}))
      LIMIT $1`,
    [limit],
  );
  return rows.map(({ sweep_id }) => sweep_id);
}

/** SQL of the number of slots that take tasks; one when there are none, because any plan is as good then. */
const COUNT_SLOTS = `
  SELECT greatest(count(*), 1) FROM slots k JOIN trainers n USING (trainer_id)
   WHERE n.state = 'READY' AND k.bench_reason = ''`;

/**
 * Regroups the training tasks that were never leased for the current number of slots, without runs that have ended. A task that was ever
 * leased is not changed, because its members may have metrics already; nor is one that trains to a rung, because its members were
 * promoted together. A task whose members stay together is kept.
 *
 * @returns whether anything changed
 */
export async function replanGroups(store: Store, sweepId: string): Promise<boolean> {
  return inTransaction(store, async (tx) => {
    const sweep = await lockSweep(tx, sweepId);
    if (sweep.state !== 'ACTIVE') return false;
    const unleased = await lockUnleased(tx, sweepId);
    const input = await readInput(tx, sweepId, unleased);
    if (input === null) return false;
    await tx.query('UPDATE sweeps SET planned_slot_count = $2 WHERE sweep_id = $1', [sweepId, input.cluster.slotCount]);
    const planned = await tx.during(tx.store.planner.regroup(input));
    let changed = false;
    // Heads first, because fine-tunings depend on the new ones.
    for (const stage of ['HEAD', 'FINE_TUNE'] as const) {
      const there = unleased.filter((task) => task.stage === stage);
      const wanted = planned.filter((task) => task.stage === stage);
      if (await regroup(tx, sweepId, there, wanted)) changed = true;
    }
    if (changed) await settleSweep({ tx, sweep }, null);
    return changed;
  });
}

/** Locks the training tasks that were never leased. Waits for a concurrent lease, whose task is then not among them. */
async function lockUnleased(tx: StoreTransaction, sweepId: string): Promise<UnleasedTask[]> {
  const locked = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks
      WHERE sweep_id = $1 AND stage IN ${TRAINED_STAGE_LIST} AND state IN ${PENDING_TASKS} AND lease_epoch = 0
        AND rung IS NULL
      ORDER BY task_id FOR NO KEY UPDATE`,
    [sweepId],
  );
  const { rows } = await tx.query<{ task_id: string; stage: GroupStage; run_ids: string[] }>(
    `SELECT t.task_id, t.stage, array_agg(tr.run_id ORDER BY tr.position, tr.run_id) AS run_ids
       FROM tasks t JOIN task_runs tr ON tr.task_id = t.task_id
      WHERE t.task_id = ANY($1) GROUP BY t.task_id, t.stage ORDER BY t.task_id`,
    [locked.rows.map(({ task_id }) => task_id)],
  );
  return rows.map((row) => ({ taskId: row.task_id, stage: row.stage, runIds: row.run_ids }));
}

/**
 * Reads the live runs of these tasks, including those whose head is awaited; null when there is nothing to plan. A run that is to be
 * fine-tuned may be training its head.
 */
async function readInput(
  tx: StoreTransaction,
  sweepId: string,
  unleased: readonly UnleasedTask[],
): Promise<RegroupInput | null> {
  const { rows } = await tx.query<{
    run_id: string;
    run_index: number;
    parameters: string;
    head_run_id: string;
    stages: GroupStage[];
  }>(
    `SELECT r.run_id, r.run_index, r.parameters::text AS parameters, coalesce(r.head_run_id, r.run_id) AS head_run_id,
            array_agg(t.stage) AS stages
       FROM task_runs tr JOIN tasks t ON t.task_id = tr.task_id JOIN runs r ON r.run_id = tr.run_id
      WHERE t.task_id = ANY($1)
        AND (r.state IN ${IDLE_RUNS} OR ${isHeadAwaited('r', 't')}
             OR t.stage = 'FINE_TUNE' AND r.state IN ${TRAINING_RUNS})
      GROUP BY r.run_id ORDER BY r.run_index`,
    [unleased.map(({ taskId }) => taskId)],
  );
  const indexed = await readIndexed(tx, sweepId);
  if (indexed === null || rows.length === 0) return null;
  const runs = rows.map((run) => ({
    runId: run.run_id,
    index: run.run_index,
    parameters: run.parameters,
    headRunId: run.head_run_id,
    stages: run.stages,
  }));
  return { sweepId, ...indexed, runs, cluster: clusterDataOf(await readCluster(tx)) };
}

/** Changes the tasks to the wanted groups: keeps groups that exist, cancels the other tasks and inserts the missing groups. */
async function regroup(
  tx: StoreTransaction,
  sweepId: string,
  unleased: readonly UnleasedTask[],
  wanted: readonly PlannedTask[],
): Promise<boolean> {
  const wantedKeys = new Set(wanted.map(({ runIds }) => keyOf(runIds)));
  const kept = new Set(unleased.map(({ runIds }) => keyOf(runIds)).filter((key) => wantedKeys.has(key)));
  const dropped = unleased.filter(({ runIds }) => !kept.has(keyOf(runIds))).map(({ taskId }) => taskId);
  const missing = wanted.filter(({ runIds }) => !kept.has(keyOf(runIds)));
  if (dropped.length === 0) return false;
  const first = await countTasks(tx, sweepId);
  const waits = await readWaits(tx, dropped);
  const made = missing.map((group, index) => ({
    ...group,
    taskId: `${sweepId}-g${first + index}`,
    dependsOn: [...new Set(group.runIds.flatMap((runId) => waits.get(runId) ?? []))],
  }));
  await insertTasks(tx, sweepId, made);
  await replaceTasks(
    tx,
    dropped,
    made.map(({ taskId }) => taskId),
  );
  await dropTasks(tx, sweepId, dropped);
  return true;
}

/** Reads each run's dependencies in these tasks: the tasks that compute its feature sets and the one that trains its head. */
async function readWaits(tx: StoreTransaction, taskIds: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
  const { rows } = await tx.query<{ run_id: string; waits: string[] }>(
    `SELECT tr.run_id, array_agg(DISTINCT d.depends_on_id ORDER BY d.depends_on_id) AS waits
       FROM task_runs tr
       JOIN task_dependencies d ON d.task_id = tr.task_id
       JOIN tasks p ON p.task_id = d.depends_on_id
      WHERE tr.task_id = ANY($1)
        AND (p.stage <> 'HEAD' OR EXISTS (SELECT 1 FROM served_runs s WHERE s.task_id = p.task_id AND s.run_id = tr.run_id))
      GROUP BY tr.run_id`,
    [taskIds],
  );
  return new Map(rows.map(({ run_id, waits }) => [run_id, waits]));
}

function keyOf(runIds: readonly string[]): string {
  return JSON.stringify([...runIds].sort());
}

/** Re-points dependents at the new task of a run's head, which inherits the old task's position. */
async function replaceTasks(
  tx: StoreTransaction,
  dropped: readonly string[],
  madeIds: readonly string[],
): Promise<void> {
  await tx.query(
    `INSERT INTO task_dependencies (task_id, depends_on_id)
     SELECT DISTINCT d.task_id, n.task_id
       FROM task_dependencies d
       JOIN task_runs needed ON needed.task_id = d.task_id
       JOIN served_runs n ON n.run_id = needed.run_id AND n.task_id = ANY($1)
      WHERE d.depends_on_id = ANY($2)`,
    [madeIds, dropped],
  );
  await tx.query(
    `UPDATE tasks t
        SET position = (SELECT min(o.position) FROM tasks o
                          JOIN task_runs ot ON ot.task_id = o.task_id
                          JOIN task_runs nt ON nt.run_id = ot.run_id AND nt.task_id = t.task_id
                         WHERE o.task_id = ANY($2))
      WHERE t.task_id = ANY($1)`,
    [madeIds, dropped],
  );
}

async function dropTasks(tx: StoreTransaction, sweepId: string, taskIds: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM task_dependencies WHERE depends_on_id = ANY($1)', [taskIds]);
  await tx.query('DELETE FROM task_runs WHERE task_id = ANY($1)', [taskIds]);
  for (const { taskId, stage } of await moveTasks(tx, taskIds, { to: 'CANCELLED', from: ['WAITING', 'READY'] })) {
    const message = 'it was never leased, and its runs were regrouped';
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message });
  }
}
