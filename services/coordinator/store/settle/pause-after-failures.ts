import { MAX_FAILED_RUNS_IN_A_ROW, mustPauseSweep } from '../../../core/retry.ts';
import type { SweepEvent } from '../../../core/records/event.ts';
import type { SweepScope } from '../move-sweep.ts';
import { moveSweep } from '../move-sweep.ts';
import { CONCLUDED_RUNS } from '../state-sql.ts';

/**
 * Pauses a sweep whose runs fail in a row, before the rest fails as well; a person investigates and resumes it. The count restarts at
 * each resumption, and is checked only when this transaction has failed a run. INFEASIBLE runs that never started are not counted: they
 * are no evidence about the machines.
 */
export async function pauseAfterFailures({ tx, sweep }: SweepScope): Promise<void> {
  if (sweep.state !== 'ACTIVE' || !tx.eventsOf(sweep.sweepId).some(isFailedRun)) return;
  const { rows } = await tx.query<{
    run_id: string;
    state: 'SUCCEEDED' | 'FAILED' | 'INFEASIBLE';
    state_reason: string;
  }>(
    `SELECT run_id, state, state_reason
       FROM runs
      WHERE sweep_id = $1 AND state IN ${CONCLUDED_RUNS} AND start_time IS NOT NULL
        AND end_time > coalesce((SELECT max(create_time) FROM events
                                  WHERE sweep_id = $1 AND kind = 'SWEEP_STATE' AND payload ->> 'state' = 'ACTIVE'), '-infinity')
      ORDER BY end_time DESC, run_id DESC
      LIMIT $2`,
    [sweep.sweepId, MAX_FAILED_RUNS_IN_A_ROW],
  );
  const outcomes = rows.toReversed();
  if (!mustPauseSweep(outcomes.map(({ state }) => state))) return;
  const last = rows[0];
  await moveSweep(
    tx,
    sweep.sweepId,
    'PAUSED',
    `${MAX_FAILED_RUNS_IN_A_ROW} runs in a row failed without a success; the last one, ${last?.run_id ?? ''}: ` +
      `${last?.state_reason ?? ''}. Investigate the cause and resume the sweep.`,
  );
}

function isFailedRun(event: SweepEvent): boolean {
  return event.kind === 'RUN_STATE' && (event.state === 'FAILED' || event.state === 'INFEASIBLE');
}
