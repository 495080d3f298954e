import { LeaseLostError, NotFoundError } from '../../core/errors.ts';
import { REOPENABLE_SWEEP_STATES, SWEEP_STATES, sweepStatesBefore } from '../../core/states/sweep-state.ts';
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
 * Locks a sweep: the first lock of every transaction that changes its structure. NO KEY UPDATE, because rows that refer to
 * the sweep (events) take a KEY SHARE lock on it and must not wait for this one.
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

/** Locks the sweep of a task. Its identity may be read before the lock, because a task never changes its sweep. @throws LeaseLostError when the task does not exist */
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

/** Moves a sweep by compare-and-set with the transition table. Returns whether it has moved. */
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

/**
 * Moves an ended sweep to ACTIVE, because a person gives it more work; a live one is left alone. The time since its end counts for no bound.
 */
export async function reopenSweep({ tx, sweep }: SweepScope, reason: string): Promise<SweepScope> {
  const { sweepId } = sweep;
  const { rowCount } = await tx.query(
    `UPDATE sweeps
        SET state = 'ACTIVE', state_reason = '', end_time = NULL,
            ended_seconds = ended_seconds + greatest(0, extract(epoch FROM now() - end_time))
      WHERE sweep_id = $1 AND state = ANY($2)`,
    [sweepId, [...REOPENABLE_SWEEP_STATES]],
  );
  if (rowCount !== 1) return { tx, sweep };
  // More runs can win than those that it was chosen from.
  await tx.query('DELETE FROM winners WHERE sweep_id = $1', [sweepId]);
  tx.emit(sweepId, { kind: 'SWEEP_STATE', state: 'ACTIVE', reason });
  return { tx, sweep: { sweepId, state: 'ACTIVE' } };
}
