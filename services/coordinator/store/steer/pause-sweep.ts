import { IllegalStateError } from '../../../core/errors.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { sweepStatesBefore } from '../../../core/states/sweep-state.ts';
import { moveRuns } from '../move-runs.ts';
import { lockSweep, moveSweep } from '../move-sweep.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import type { Store } from '../store.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';

/**
 * Pauses a sweep. No task is leased any more; the next heartbeats command running attempts to save a checkpoint and release their task.
 * Pausing a paused sweep changes nothing.
 *
 * @throws NotFoundError, IllegalStateError
 */
export async function pauseSweep(store: Store, sweepId: string, reason: string): Promise<void> {
  await inTransaction(
    store,
    async (tx) => {
      const { state } = await lockSweep(tx, sweepId);
      if (state === 'PAUSED') return;
      await moveOrThrow(tx, sweepId, state, 'PAUSED', 'pause', reason);
    },
    'steer',
  );
}

/**
 * Resumes a paused sweep. Resuming an active sweep changes nothing.
 *
 * @throws NotFoundError, IllegalStateError
 */
export async function resumeSweep(store: Store, sweepId: string): Promise<void> {
  await inTransaction(
    store,
    async (tx) => {
      const sweep = await lockSweep(tx, sweepId);
      if (sweep.state === 'ACTIVE') return;
      await moveOrThrow(tx, sweepId, sweep.state, 'ACTIVE', 'resume', '');
      await moveRuns(tx, await pausedWithSweep(tx, sweepId), { to: 'QUEUED', reason: '' });
      // During the pause other sweeps may have computed the feature sets it waits for, or have failed to.
      await settleSweep({ tx, sweep: { sweepId, state: 'ACTIVE' } }, null);
    },
    'steer',
  );
}

/** Returns the runs that wait for the sweep; the others wait at rungs for a promotion. */
async function pausedWithSweep(tx: StoreTransaction, sweepId: string): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    `SELECT run_id FROM runs WHERE sweep_id = $1 AND state = 'PAUSED' AND paused_rung IS NULL ORDER BY run_id`,
    [sweepId],
  );
  return rows.map(({ run_id }) => run_id);
}

async function moveOrThrow(
  tx: StoreTransaction,
  sweepId: string,
  from: SweepState,
  to: SweepState,
  action: string,
  reason: string,
): Promise<void> {
  if (await moveSweep(tx, sweepId, to, reason)) return;
  throw new IllegalStateError(`sweep ${sweepId}`, from, action, sweepStatesBefore(to));
}

export async function runIdsIn(tx: StoreTransaction, sweepId: string, states: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ run_id: string }>(
    'SELECT run_id FROM runs WHERE sweep_id = $1 AND state = ANY($2) ORDER BY run_id',
    [sweepId, states],
  );
  return rows.map(({ run_id }) => run_id);
}
