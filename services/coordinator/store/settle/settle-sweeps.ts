import { NotFoundError } from '../../../core/errors.ts';
import { lockSweep } from '../move-sweep.ts';
import type { Store } from '../store.ts';
import type { FencedTask } from '../tasks/fence.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { settleSweep } from './settle-sweep.ts';
import { LIVE_RUNS, LIVE_SWEEPS, LIVE_TASKS, UNSUCCESSFUL_TASKS } from '../state-sql.ts';

/** Settles sweeps one after the other, each in its own transaction. */
export async function settleSweeps(store: Store, sweepIds: readonly string[]): Promise<void> {
  for (const sweepId of sweepIds) {
    try {
      await inTransaction(store, async (tx) => settleSweep({ tx, sweep: await lockSweep(tx, sweepId) }, null));
    } catch (error) {
      // A person has deleted the sweep: nothing is left to settle.
      if (!(error instanceof NotFoundError)) throw error;
    }
  }
}

/**
 * Finds sweeps that wait for something that has happened already: a coordinator ended between two transactions, or a sweep whose
 * feature sets others wait for was paused or cancelled. The reaper settles them.
 */
export async function findUnsettledSweeps(store: Store, limit: number): Promise<string[]> {
  const { rows } = await store.pool.query<{ sweep_id: string }>(
    `SELECT t.sweep_id
       FROM tasks t
       JOIN sweeps s ON s.sweep_id = t.sweep_id AND s.state = 'ACTIVE'
      WHERE t.state = 'WAITING'
        AND (NOT EXISTS (
               SELECT 1 FROM task_dependencies d JOIN tasks p ON p.task_id = d.depends_on_id
                WHERE d.task_id = t.task_id AND p.state <> 'SUCCEEDED')
          OR EXISTS (
               SELECT 1 FROM task_dependencies d JOIN tasks p ON p.task_id = d.depends_on_id
                 JOIN sweeps ps ON ps.sweep_id = p.sweep_id
                WHERE d.task_id = t.task_id AND p.state <> 'SUCCEEDED'
                  AND (p.state IN ${UNSUCCESSFUL_TASKS} OR ps.state <> 'ACTIVE')))
     UNION
     SELECT s.sweep_id
       FROM sweeps s
      WHERE s.state IN ${LIVE_SWEEPS}
        AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.sweep_id = s.sweep_id
                          AND r.state IN ${LIVE_RUNS})
        AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.sweep_id = s.sweep_id AND t.stage = 'EVALUATE'
                          AND t.state IN ${LIVE_TASKS})
      LIMIT $1`,
    [limit],
  );
  return rows.map(({ sweep_id }) => sweep_id);
}

/** Records the other sweeps that wait for this task's feature sets or manifest; they are settled after the commit. */
export async function recordDependentSweeps(tx: StoreTransaction, task: FencedTask): Promise<void> {
  if (task.stage !== 'FEATURES' && task.stage !== 'INDEX') return;
  const { rows } = await tx.query<{ sweep_id: string }>(
    `SELECT DISTINCT t.sweep_id
       FROM task_dependencies d JOIN tasks t ON t.task_id = d.task_id
      WHERE d.depends_on_id = $1 AND t.sweep_id <> $2 AND t.state = 'WAITING'`,
    [task.taskId, task.sweepId],
  );
  for (const { sweep_id } of rows) tx.otherSweeps.add(sweep_id);
}
