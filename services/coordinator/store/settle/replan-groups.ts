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

/** A task that no slot has ever had. */
interface UnbegunTask {
  readonly taskId: string;
  readonly stage: GroupStage;
  readonly runIds: readonly string[];
}

/**
 * Sweeps with training that nobody has begun, whose groups were cut for another number of slots than there are now, or whose
 * heads are grouped with runs that have ended meanwhile. Fine-tunings that lose a run are left as they are: that happens all the
 * time where runs are stopped early, and the trainer leaves such runs out.
 */
export async function findReplannableSweeps(store: Store, limit: number): Promise<string[]> {
  if (!store.plansAdaptively) return [];
  const { rows } = await store.pool.query<{ sweep_id: string }>(
    `SELECT DISTINCT t.sweep_id
       FROM tasks t
       JOIN sweeps s ON s.sweep_id = t.sweep_id AND s.state = 'ACTIVE' AND s.planned_slot_count IS NOT NULL
      WHERE t.stage IN ${TRAINED_STAGE_LIST} AND t.state IN ${PENDING_TASKS} AND t.lease_epoch = 0
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

/** Without any slot nothing can be said; a plan for one slot is as good as any then. */
const COUNT_SLOTS = `
  SELECT greatest(count(*), 1) FROM slots k JOIN trainers n USING (trainer_id)
   WHERE n.state = 'READY' AND k.bench_reason = ''`;

/**
 * Cuts the training that nobody has begun into the groups that the present slots want, and leaves out runs that have ended. What
 * was ever leased stays as it is: its members may have numbers already. A task is taken over as it is where its members stay
 * together. @returns whether anything changed.
 */
export async function replanGroups(store: Store, sweepId: string): Promise<boolean> {
  return inTransaction(store, async (tx) => {
    const sweep = await lockSweep(tx, sweepId);
    if (sweep.state !== 'ACTIVE') return false;
    const unbegun = await lockUnbegun(tx, sweepId);
    const input = await readInput(tx, sweepId, unbegun);
    if (input === null) return false;
    await tx.query('UPDATE sweeps SET planned_slot_count = $2 WHERE sweep_id = $1', [sweepId, input.cluster.slotCount]);
    const planned = await tx.during(tx.store.planner.regroup(input));
    let changed = false;
    // Heads first: fine-tunings are to wait for the new ones.
    for (const stage of ['HEAD', 'FINE_TUNE'] as const) {
      const there = unbegun.filter((task) => task.stage === stage);
      const wanted = planned.filter((task) => task.stage === stage);
      if (await regroup(tx, sweepId, there, wanted)) changed = true;
    }
    if (changed) await settleSweep({ tx, sweep }, null);
    return changed;
  });
}

/** A lease that is being taken at this moment is waited for, and then its task is begun and not among these. */
async function lockUnbegun(tx: StoreTransaction, sweepId: string): Promise<UnbegunTask[]> {
  const locked = await tx.query<{ task_id: string }>(
    `SELECT task_id FROM tasks
      WHERE sweep_id = $1 AND stage IN ${TRAINED_STAGE_LIST} AND state IN ${PENDING_TASKS} AND lease_epoch = 0
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
 * The live runs of these tasks, those whose head others wait for among them; null where there is nothing to plan. A run that
 * is to be fine-tuned may be training its head.
 */
async function readInput(
  tx: StoreTransaction,
  sweepId: string,
  unbegun: readonly UnbegunTask[],
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
    [unbegun.map(({ taskId }) => taskId)],
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

/** Brings the rows to the wanted groups: what is there already stays, the other tasks are given up and new ones made. */
async function regroup(
  tx: StoreTransaction,
  sweepId: string,
  unbegun: readonly UnbegunTask[],
  wanted: readonly PlannedTask[],
): Promise<boolean> {
  const wantedKeys = new Set(wanted.map(({ runIds }) => keyOf(runIds)));
  const kept = new Set(unbegun.map(({ runIds }) => keyOf(runIds)).filter((key) => wantedKeys.has(key)));
  const givenUp = unbegun.filter(({ runIds }) => !kept.has(keyOf(runIds))).map(({ taskId }) => taskId);
  const missing = wanted.filter(({ runIds }) => !kept.has(keyOf(runIds)));
  if (givenUp.length === 0) return false;
  const first = await countTasks(tx, sweepId);
  const waits = await readWaits(tx, givenUp);
  const made = missing.map((group, index) => ({
    ...group,
    taskId: `${sweepId}-g${first + index}`,
    dependsOn: [...new Set(group.runIds.flatMap((runId) => waits.get(runId) ?? []))],
  }));
  await insertTasks(tx, sweepId, made);
  await takeOver(
    tx,
    givenUp,
    made.map(({ taskId }) => taskId),
  );
  await giveUp(tx, sweepId, givenUp);
  return true;
}

/** What each run waits for in these tasks: the makers of its feature sets and the task that trains its head. */
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

/** What waited for a run's head waits for the task that trains it now, which stands in the old one's place in the order. */
async function takeOver(tx: StoreTransaction, givenUp: readonly string[], madeIds: readonly string[]): Promise<void> {
  await tx.query(
    `INSERT INTO task_dependencies (task_id, depends_on_id)
     SELECT DISTINCT d.task_id, n.task_id
       FROM task_dependencies d
       JOIN task_runs needed ON needed.task_id = d.task_id
       JOIN served_runs n ON n.run_id = needed.run_id AND n.task_id = ANY($1)
      WHERE d.depends_on_id = ANY($2)`,
    [madeIds, givenUp],
  );
  await tx.query(
    `UPDATE tasks t
        SET position = (SELECT min(o.position) FROM tasks o
                          JOIN task_runs ot ON ot.task_id = o.task_id
                          JOIN task_runs nt ON nt.run_id = ot.run_id AND nt.task_id = t.task_id
                         WHERE o.task_id = ANY($2))
      WHERE t.task_id = ANY($1)`,
    [madeIds, givenUp],
  );
}

async function giveUp(tx: StoreTransaction, sweepId: string, taskIds: readonly string[]): Promise<void> {
  await tx.query('DELETE FROM task_dependencies WHERE depends_on_id = ANY($1)', [taskIds]);
  await tx.query('DELETE FROM task_runs WHERE task_id = ANY($1)', [taskIds]);
  for (const { taskId, stage } of await moveTasks(tx, taskIds, { to: 'CANCELLED', from: ['WAITING', 'READY'] })) {
    const message = 'nobody had begun it, and its runs are trained in other groups now';
    tx.emit(sweepId, { kind: 'TASK', taskId, stage, state: 'CANCELLED', trainerId: '', message });
  }
}
