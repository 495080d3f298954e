import type { Preemption, WaitingTask } from '../../../core/preemption.ts';
import { lockSweep } from '../move-sweep.ts';
import { LEASED_TASKS } from '../state-sql.ts';
import { addDecisions } from '../rungs/add-decisions.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { Store } from '../store.ts';
import { isAwaitedBy } from '../tasks/leasable.ts';
import { runIdsOnlyIn } from '../tasks/run-ids-of.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Commands a task to save itself and hand its slot back: the next heartbeat has the command, and `releaseTask` requeues the task. Its runs
 * continue from there, with the same numbers. The reason is in the task, the sweep and its runs.
 *
 * @returns the reason; null where nothing is to be preempted any more: the heir was leased, the victim has ended, or priorities changed
 */
export async function preemptTask(store: Store, { victim, heir }: Preemption): Promise<string | null> {
  return inTransaction(store, async (tx) => {
    const { sweepId, state } = await lockSweep(tx, victim.sweepId);
    if (state !== 'ACTIVE') return null;
    const reason = heir === null ? await surplusReason(tx, sweepId) : await heirReason(tx, sweepId, heir);
    if (reason === null) return null;
    const { rowCount } = await tx.query(
      `UPDATE tasks SET command = 'PAUSE', command_reason = $3
        WHERE task_id = $1 AND lease_epoch = $2 AND state IN ${LEASED_TASKS}
          AND (command IS NULL OR command = 'CHECKPOINT_NOW')`,
      [victim.taskId, victim.leaseEpoch, reason],
    );
    if (rowCount !== 1) return null;
    const what = `task ${victim.taskId} is preempted: ${reason}`;
    await tx.query('UPDATE sweeps SET state_reason = $2 WHERE sweep_id = $1', [sweepId, what]);
    const runIds = await runIdsOnlyIn(tx, victim.taskId);
    await tx.query(
      `WITH locked AS MATERIALIZED (
         SELECT run_id FROM runs WHERE run_id = ANY($1) AND state = 'RUNNING' ORDER BY run_id FOR NO KEY UPDATE
       )
       UPDATE runs r SET state_reason = $2 FROM locked WHERE r.run_id = locked.run_id`,
      [runIds, `is preempted: ${reason}`],
    );
    await recordDecision(tx, sweepId, runIds, { reason: what, victim, heir });
    tx.addStep('preempt');
    return reason;
  });
}

/** Records the preemption among the decisions of the sweep: of its run, or of the sweep where a group trains together. */
async function recordDecision(
  tx: StoreTransaction,
  sweepId: string,
  runIds: readonly string[],
  { reason, victim, heir }: Preemption & { readonly reason: string },
): Promise<void> {
  const search = await lockSearch(tx, sweepId);
  if (search === null) return;
  const { taskId, leaseEpoch, priority } = victim;
  const inputs = { taskId, leaseEpoch, priority, heir: heir && { taskId: heir.taskId, priority: heir.priority } };
  const runId = runIds.length === 1 ? (runIds[0] ?? null) : null;
  await addDecisions(tx, search, [{ kind: 'PREEMPT', runId, rung: null, rule: '', inputs, reason }]);
}

async function heirReason(tx: StoreTransaction, sweepId: string, heir: WaitingTask): Promise<string | null> {
  const { rows } = await tx.query<{ priority: number }>(
    `SELECT h.priority
       FROM tasks w
       JOIN sweeps h ON h.sweep_id = $3 AND h.state = 'ACTIVE'
       JOIN sweeps v ON v.sweep_id = $2 AND v.priority < h.priority
      WHERE w.task_id = $1 AND w.state = 'READY' AND (w.sweep_id = h.sweep_id OR ${isAwaitedBy('w', 'h')})`,
    [heir.taskId, sweepId, heir.sweepId],
  );
  const [row] = rows;
  return row === undefined ? null : `its slot goes to sweep ${heir.sweepId} (priority ${row.priority})`;
}

async function surplusReason(tx: StoreTransaction, sweepId: string): Promise<string | null> {
  const { rows } = await tx.query<{ max_parallel_slots: number }>(
    `SELECT s.max_parallel_slots FROM sweeps s
      WHERE s.sweep_id = $1
        AND s.max_parallel_slots < (SELECT count(*) FROM tasks t
                                     WHERE t.sweep_id = s.sweep_id AND t.state IN ${LEASED_TASKS} AND t.command IS NULL)`,
    [sweepId],
  );
  const [row] = rows;
  return row === undefined ? null : `the sweep may use ${row.max_parallel_slots} slots at once (max_parallel_slots)`;
}
