import { LeaseLostError, NotFoundError } from '../../core/errors.ts';
import { SWEEP_STATES, sweepStatesBefore } from '../../core/states/sweep-state.ts';
import type { SweepState } from '../../core/states/sweep-state.ts';
import type { StoreTransaction } from './transaction.ts';

export interface LockedSweep {
  readonly sweepId: string;
  readonly state: SweepState;
}

/** A locked sweep, with the transaction that holds the lock. */
export interface SweepScope {
  readonly tx: StoreTransaction;
  readonly sweep: LockedSweep;
}

/**
 * The first lock of every transaction that changes the structure of a sweep. NO KEY UPDATE, because rows that refer to
 * the sweep (events) take a KEY SHARE lock on it and must not wait for it.
 *
 * @throws NotFoundError
 */
export async function lockSweep(tx: StoreTransaction, sweepId: string): Promise<LockedSweep> {
  const { rows } = await tx.query<{ state: SweepState }>(
    'SELECT state FROM sweeps WHERE sweep_id = $1 FOR NO KEY UPDATE',
    [sweepId],
  );
  const row = rows[0];
  if (!row) throw new NotFoundError('sweep', sweepId);
  return { sweepId, state: row.state };
}

/** A task never changes its sweep, so the identity may be read before the lock. @throws LeaseLostError without a task. */
export async function lockSweepOfTask(
  tx: StoreTransaction,
  { taskId, leaseEpoch }: { readonly taskId: string; readonly leaseEpoch: number },
): Promise<LockedSweep> {
  const { rows } = await tx.prepared<{ sweep_id: string; state: SweepState }>(
    `SELECT sweep_id, state FROM sweeps WHERE sweep_id = (SELECT sweep_id FROM tasks WHERE task_id = $1)
        FOR NO KEY UPDATE`,
    [taskId],
  );
  const row = rows[0];
  if (!row) throw new LeaseLostError(taskId, leaseEpoch);
  return { sweepId: row.sweep_id, state: row.state };
}

/** Compare-and-set by the transition table; true when the sweep has moved. */
export async function moveSweep(
  tx: StoreTransaction,
  sweepId: string,
  to: SweepState,
  reason: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE sweeps
        SET state = $2, state_reason = $3, end_time = CASE WHEN $4 THEN now() ELSE end_time END
      WHERE sweep_id = $1 AND state = ANY($5)`,
    [sweepId, to, reason, SWEEP_STATES.terminal.has(to), sweepStatesBefore(to)],
  );
  if (rowCount !== 1) return false;
  tx.emit(sweepId, { kind: 'SWEEP_STATE', state: to, reason });
  return true;
}
