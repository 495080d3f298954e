import { isDecided, SEARCH_BOUNDS } from '../../../core/records/decision.ts';
import type { SearchEnd } from '../../../core/records/decision.ts';
import type { EndCause } from '../../../core/records/run.ts';
import { notPromotedReason } from '../../../core/stopping/steps/end.ts';
import { stopIdleRuns } from '../runs/end-runs.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { StoredState } from './read-state.ts';

/** Causes of runs' ends by that of the search; runs that merely waited when all was decided are NOT_PROMOTED. */
const RUN_CAUSES: Readonly<Record<SearchEnd, EndCause>> = {
  ALL_DECIDED: 'NOT_PROMOTED',
  SPACE_EXHAUSTED: 'NOT_PROMOTED',
  PATIENCE: 'NOT_PROMOTED',
  BUDGET: 'BUDGET',
  WALL_TIME: 'BUDGET',
  TARGET: 'TARGET',
  USER: 'USER',
};

/** Returns why a run stops whose search has ended by a bound; null: the end stops no run that trains. */
export async function whyStopped(
  tx: StoreTransaction,
  sweepId: string,
  end: SearchEnd,
): Promise<{ readonly reason: string; readonly cause: EndCause } | null> {
  if (!SEARCH_BOUNDS.some((bound) => bound === end)) return null;
  const { rows } = await tx.query<{ reason: string }>(
    `SELECT reason FROM decisions WHERE sweep_id = $1 AND kind = 'END' ORDER BY decision_id DESC LIMIT 1`,
    [sweepId],
  );
  return { reason: rows[0]?.reason ?? '', cause: RUN_CAUSES[end] };
}

export async function recordEnd(tx: StoreTransaction, { sweepId }: LockedSearch, reason: SearchEnd): Promise<void> {
  tx.addStep('end');
  await tx.query('UPDATE searches SET end_reason = $2, end_time = now() WHERE sweep_id = $1 AND end_reason IS NULL', [
    sweepId,
    reason,
  ]);
}

/**
 * Stops the runs that no slot works on after the end of a search, each with its reason, and cancels the tasks that serve them only.
 * Running attempts stop by the next heartbeat (`leases/heartbeat.ts`), and their runs when they report.
 *
 * @param because why the search ended
 * @returns whether a run was stopped
 */
export async function stopIdle(
  tx: StoreTransaction,
  { sweepId, policy }: LockedSearch,
  end: SearchEnd,
  because: string,
  { state }: StoredState,
): Promise<boolean> {
  const bounded = !isDecided(end);
  const stopped = await stopIdleRuns(tx, sweepId, { cause: RUN_CAUSES[end], because }, async () => {
    const { rows } = await tx.query<{ run_id: string; run_index: number; paused_rung: number | null }>(
      `SELECT run_id, run_index, paused_rung FROM runs
        WHERE sweep_id = $1 AND state IN ${IDLE_RUNS} AND ($2 OR paused_rung IS NOT NULL)`,
      [sweepId, bounded],
    );
    return new Map(
      rows.map((row) => {
        const run = state.runs[row.run_index];
        const place = row.paused_rung === null || run === undefined ? [] : [notPromotedReason(policy, state, run)];
        return [row.run_id, [...place, ...(bounded ? [because] : [])].join('; ')];
      }),
    );
  });
  return stopped > 0;
}
