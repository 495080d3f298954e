import { machineFault } from '../../../core/machine-fault.ts';
import type { MissingWeights } from '../../../core/task.ts';
import { forgetFaults } from '../faults/record-fault.ts';
import { otherSlots } from '../faults/other-slots.ts';
import { endRuns } from '../runs/end-runs.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { TaskScope } from '../tasks/fence.ts';
import type { StoreTransaction } from '../transaction.ts';
import { endWithError } from './end-with-error.ts';

/**
 * Leaves INDEX to a slot of another machine that may have the missing weights. When there is none, earlier failures of this kind are no
 * evidence against their machines, and the sweep continues without these weights.
 *
 * @returns true if the attempt has ended
 */
export async function leaveToOthers(scope: TaskScope, missing: readonly MissingWeights[]): Promise<boolean> {
  const { tx, task } = scope;
  const elsewhere = missing.filter((weights) => weights.elsewhere);
  if (elsewhere.length === 0) return false;
  const others = await tx.query(
    `SELECT 1 FROM tasks t WHERE t.task_id = $1 AND EXISTS (${otherSlots('t')} AND os.trainer_id <> $2)`,
    [task.taskId, task.trainerId],
  );
  if (others.rowCount === 0) {
    await forgetFaults(tx, task.taskId);
    return false;
  }
  const message = elsewhere.map(({ reason }) => reason).join('\n');
  await endWithError(scope, machineFault('WEIGHTS_MISSING', message), 'FAILED');
  return true;
}

/** Returns what INDEX reports about missing weights, before any run is trained; their runs carry the reasons. Empty: none is missing. */
export function describeMissing(missing: readonly MissingWeights[]): string {
  if (missing.length === 0) return '';
  const named = missing.map(({ backbone, weights }) => `${backbone} (${weights})`).join(', ');
  return `; weights are missing for ${named}: the runs on them fail, and the others are trained`;
}

/** Fails the runs whose weights are missing. */
export async function failRunsWithout(
  tx: StoreTransaction,
  sweepId: string,
  missing: readonly MissingWeights[],
): Promise<void> {
  for (const { backbone, weights, reason } of missing) {
    const { rows } = await tx.query<{ run_id: string }>(
      `SELECT run_id FROM runs
        WHERE sweep_id = $1 AND state IN ${IDLE_RUNS} AND parameters ->> 'backbone' = $2 AND parameters ->> 'weights' = $3
        ORDER BY run_id`,
      [sweepId, backbone, weights],
    );
    await endRuns(
      tx,
      rows.map(({ run_id }) => run_id),
      { to: 'FAILED', reason },
    );
  }
}
