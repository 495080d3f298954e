import { RUN_STATES, runStatesBefore } from '../../core/states/run-state.ts';
import type { RunState } from '../../core/states/run-state.ts';
import type { Stage } from '../../core/task.ts';
import type { EndCause } from '../../core/records/run.ts';
import type { Answer, Batch } from '../../platform/db/batch.ts';
import type { StoreTransaction } from './transaction.ts';

interface MovedRun {
  readonly run_id: string;
  readonly sweep_id: string;
  readonly stage: Stage;
}

export interface RunMove {
  readonly to: RunState;
  readonly reason: string;
  /** Restricts the states that the transition table allows. Default: all of these. */
  readonly from?: readonly RunState[];
  /** The new stage. Default: unchanged. */
  readonly stage?: Stage;
  /**
   * Cause of the end, for a final state and for STOPPING. Default: STOPPED and CANCELLED keep that of STOPPING; else it follows from the
   * state.
   */
  readonly cause?: EndCause;
  /** Rung at which the runs wait to be promoted, for PAUSED. Default: none. */
  readonly pausedRung?: number;
}

/** Causes of ends that need no further explanation. */
const USUAL_CAUSES: Readonly<Partial<Record<RunState, EndCause>>> = {
  SUCCEEDED: 'ALL_EPOCHS',
  STOPPED: 'USER',
  CANCELLED: 'USER',
  FAILED: 'ERROR',
  INFEASIBLE: 'ERROR',
};

/**
 * Moves runs by compare-and-set and emits an event for each that moved; the others are left alone. Rows are locked in the
 * order of their identities, so that two transactions with common runs can't deadlock.
 *
 * @returns the runs that moved, sorted.
 */
export async function moveRuns(tx: StoreTransaction, runIds: readonly string[], move: RunMove): Promise<string[]> {
  if (runIds.length === 0) return [];
  const batch = tx.batch();
  const moved = addRunMove(tx, batch, runIds, move);
  await batch.send();
  return moved.rows.map(({ run_id }) => run_id).sort();
}

/** Adds the statement of `moveRuns` to a batch. The events are emitted when the batch has been sent. */
export function addRunMove(
  tx: StoreTransaction,
  batch: Batch,
  runIds: readonly string[],
  move: RunMove,
): Answer<MovedRun> {
  const allowed = runStatesBefore(move.to).filter((state) => move.from?.includes(state) ?? true);
  const isFinal = RUN_STATES.terminal.has(move.to);
  return batch.prepared<MovedRun>(
    `WITH locked AS MATERIALIZED (
       SELECT run_id FROM runs WHERE run_id = ANY($1) AND state = ANY($2) ORDER BY run_id FOR NO KEY UPDATE
     )
     UPDATE runs r
        SET state = $3,
            state_reason = $4,
            stage = coalesce($5, r.stage),
            start_time = CASE WHEN $3 = 'RUNNING' THEN coalesce(r.start_time, now()) ELSE r.start_time END,
            end_time = CASE WHEN $6 THEN clock_timestamp() ELSE r.end_time END,
            end_cause = coalesce($7, CASE WHEN r.state = 'STOPPING' AND $3 IN ('STOPPED', 'CANCELLED') THEN r.end_cause END, $8),
            paused_rung = $9
       FROM locked WHERE r.run_id = locked.run_id
      RETURNING r.run_id, r.sweep_id, r.stage`,
    [
      runIds,
      allowed,
      move.to,
      move.reason,
      move.stage ?? null,
      isFinal,
      isFinal || move.to === 'STOPPING' ? (move.cause ?? null) : null,
      USUAL_CAUSES[move.to] ?? null,
      move.pausedRung ?? null,
    ],
    (rows) => {
      for (const { run_id: runId, sweep_id: sweepId, stage } of rows.toSorted((a, b) =>
        a.run_id < b.run_id ? -1 : 1,
      )) {
        tx.emit(sweepId, { kind: 'RUN_STATE', runId, state: move.to, stage, reason: move.reason });
      }
    },
  );
}
