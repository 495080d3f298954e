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
 * Nothing new is leased; running attempts are told with their next heartbeat to save and hand back. A sweep that is paused
 * stays so.
 *
 * @throws NotFoundError, IllegalStateError
 */
export async function pauseSweep(store: Store, sweepId: string, reason: string): Promise<void> {
  await inTransaction(store, async (tx) => {
    const { state } = await lockSweep(tx, sweepId);
    if (state === 'PAUSED') return;
    await moveOrThrow(tx, sweepId, state, 'PAUSED', 'pause', reason);
  });
}

/**
 * Goes on after a pause. A sweep that is active stays so.
 *
 * @throws NotFoundError, IllegalStateError
 */
export async function resumeSweep(store: Store, sweepId: string): Promise<void> {
  await inTransaction(store, async (tx) => {
    const sweep = await lockSweep(tx, sweepId);
    if (sweep.state === 'ACTIVE') return;
    await moveOrThrow(tx, sweepId, sweep.state, 'ACTIVE', 'resume', '');
    await moveRuns(tx, await runIdsIn(tx, sweepId, ['PAUSED']), { to: 'QUEUED', reason: '' });
    // While it was paused, other sweeps may have made, or given up, the feature sets it waits for.
    await settleSweep({ tx, sweep: { sweepId, state: 'ACTIVE' } }, null);
  });
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
