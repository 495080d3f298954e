import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { Stage } from '../../../core/task.ts';
import type { SweepScope } from '../move-sweep.ts';
import { moveTasks } from '../move-tasks.ts';
import { endRuns } from '../runs/end-runs.ts';
import { runIdsOf } from '../tasks/run-ids-of.ts';
import type { StoreTransaction } from '../transaction.ts';
import { isSearching } from '../run-sql.ts';
import { advanceSearch } from '../search/advance-search.ts';
import { finishSweep } from './finish-sweep.ts';
import { pauseAfterFailures } from './pause-after-failures.ts';
import { replaceFeatures } from './replace-features.ts';
import { LIVE_RUNS, UNSUCCESSFUL_TASKS } from '../state-sql.ts';

/**
 * Settles a locked sweep by its rows: tasks whose dependencies have succeeded become READY, tasks whose dependencies have failed fail
 * their runs, its search advances, and a sweep whose runs have all ended is evaluated and ended. Makes no assumption about earlier steps,
 * so it can be repeated at any time.
 *
 * @param finishedTaskIds restricts the work to dependents of these tasks; null: all tasks
 */
export async function settleSweep(scope: SweepScope, finishedTaskIds: readonly string[] | null): Promise<void> {
  const { tx, sweep } = scope;
  if (isTerminalSweepState(sweep.state)) return;
  const { leadsOn, isSearching } = await whatFollows(tx, sweep.sweepId, finishedTaskIds);
  if (leadsOn) {
    await resolveBlocked(scope, finishedTaskIds);
    await readyTasks(tx, await findWaiting(tx, sweep.sweepId, finishedTaskIds));
  }
  const hasAdvanced = isSearching && (await advanceSearch(scope));
  if ((leadsOn || hasAdvanced) && (await finishSweep(scope))) return;
  // Only when a task has just ended: a resumed sweep must not be paused by the same failures.
  if (finishedTaskIds !== null) await pauseAfterFailures(scope);
}

/** Possible consequences of the end of tasks. */
interface Consequences {
  /** These tasks have dependents, or no run is live any more: rarely so in a large sweep. */
  readonly leadsOn: boolean;
  /** Runs are compared at rungs, or a budget bounds the sweep. */
  readonly isSearching: boolean;
}

async function whatFollows(
  tx: StoreTransaction,
  sweepId: string,
  finishedTaskIds: readonly string[] | null,
): Promise<Consequences> {
  const { rows } = await tx.prepared<{ leads_on: boolean; is_searching: boolean }>(
    `SELECT $2::text[] IS NULL
            OR NOT EXISTS (SELECT 1 FROM runs
                         WHERE sweep_id = $1 AND state IN ${LIVE_RUNS})
            OR EXISTS (SELECT 1 FROM task_dependencies d JOIN tasks t ON t.task_id = d.task_id
                        WHERE d.depends_on_id = ANY($2) AND t.sweep_id = $1 AND t.state = 'WAITING') AS leads_on,
            ${isSearching('s')} AS is_searching
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId, finishedTaskIds],
  );
  return { leadsOn: rows[0]?.leads_on ?? true, isSearching: rows[0]?.is_searching ?? false };
}

interface BlockedRow {
  readonly task_id: string;
  readonly blocker_id: string;
  readonly blocker_stage: Stage;
  readonly is_foreign: boolean;
  readonly message: string | null;
}

async function resolveBlocked(scope: SweepScope, finishedTaskIds: readonly string[] | null): Promise<void> {
  const { tx, sweep } = scope;
  const { rows } = await tx.query<BlockedRow>(
    `SELECT t.task_id, p.task_id AS blocker_id, p.stage AS blocker_stage, p.sweep_id <> t.sweep_id AS is_foreign,
            (SELECT a.message FROM attempts a WHERE a.task_id = p.task_id ORDER BY a.lease_epoch DESC LIMIT 1) AS message
       FROM tasks t
       JOIN task_dependencies d ON d.task_id = t.task_id
       JOIN tasks p ON p.task_id = d.depends_on_id
       JOIN sweeps ps ON ps.sweep_id = p.sweep_id
      WHERE t.sweep_id = $1 AND t.state = 'WAITING' AND p.state <> 'SUCCEEDED'
        AND (p.state IN ${UNSUCCESSFUL_TASKS} OR (p.sweep_id <> t.sweep_id AND ps.state <> 'ACTIVE'))
        ${finishedTaskIds === null ? '' : 'AND p.task_id = ANY($2)'}
      ORDER BY t.task_id, p.task_id`,
    finishedTaskIds === null ? [sweep.sweepId] : [sweep.sweepId, finishedTaskIds],
  );
  // A FAILED one is replaced too: its sweep may read another folder, or another weight file, than this one.
  const orphaned = rows.filter((row) => row.is_foreign);
  await replaceFeatures(
    scope,
    orphaned.map((row) => ({ taskId: row.task_id, makerId: row.blocker_id })),
  );
  for (const row of rows) {
    if (!orphaned.includes(row)) await failBlocked(tx, row);
  }
}

/**
 * Fails the runs that can't continue: all runs of the task when its feature sets are missing, those whose head is missing when a HEAD
 * task failed. The other runs of a group continue without them.
 */
async function failBlocked(tx: StoreTransaction, row: BlockedRow): Promise<void> {
  const why = row.message === null || row.message === '' ? 'it was cancelled' : row.message;
  const reason =
    row.blocker_stage === 'FEATURES'
      ? `the feature sets it reads could not be computed (task ${row.blocker_id}): ${why}`
      : `the ${row.blocker_stage} task it waits for, ${row.blocker_id}, did not succeed: ${why}`;
  const runIds = await runIdsOf(tx, row.task_id);
  const blocked = row.blocker_stage === 'HEAD' ? await servedBy(tx, row.blocker_id, runIds) : runIds;
  await endRuns(tx, blocked, { to: 'FAILED', reason });
  if (await hasLiveRuns(tx, row.task_id)) {
    await tx.query('DELETE FROM task_dependencies WHERE task_id = $1 AND depends_on_id = $2', [
      row.task_id,
      row.blocker_id,
    ]);
    await readyTasks(tx, [row.task_id]);
    return;
  }
  // When all of its runs had ended before, it was not cancelled yet.
  await moveTasks(tx, [row.task_id], { to: 'CANCELLED', from: ['WAITING'] });
}

async function servedBy(tx: StoreTransaction, taskId: string, runIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM served_runs WHERE task_id = $1 AND run_id = ANY($2) ORDER BY run_id',
    [taskId, runIds],
  );
  return rows.map(({ run_id }) => run_id);
}

async function hasLiveRuns(tx: StoreTransaction, taskId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `SELECT 1 FROM task_runs tr JOIN runs r ON r.run_id = tr.run_id
      WHERE tr.task_id = $1 AND r.state IN ${LIVE_RUNS} LIMIT 1`,
    [taskId],
  );
  return rowCount !== 0;
}

async function findWaiting(
  tx: StoreTransaction,
  sweepId: string,
  finishedTaskIds: readonly string[] | null,
): Promise<string[]> {
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT t.task_id FROM tasks t
      WHERE t.sweep_id = $1 AND t.state = 'WAITING'
        ${finishedTaskIds === null ? '' : 'AND t.task_id IN (SELECT task_id FROM task_dependencies WHERE depends_on_id = ANY($2))'}`,
    finishedTaskIds === null ? [sweepId] : [sweepId, finishedTaskIds],
  );
  return rows.map(({ task_id }) => task_id);
}

/** Moves the waiting tasks whose dependencies have all succeeded to READY. */
async function readyTasks(tx: StoreTransaction, waiting: readonly string[]): Promise<void> {
  if (waiting.length === 0) return;
  const { rows } = await tx.query<{ task_id: string }>(
    `SELECT t.task_id FROM tasks t
      WHERE t.task_id = ANY($1)
        AND NOT EXISTS (SELECT 1 FROM task_dependencies d JOIN tasks p ON p.task_id = d.depends_on_id
                         WHERE d.task_id = t.task_id AND p.state <> 'SUCCEEDED')`,
    [waiting],
  );
  await moveTasks(
    tx,
    rows.map(({ task_id }) => task_id),
    { to: 'READY' },
  );
}
