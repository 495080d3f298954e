import type { RunState } from '../../../core/states/run-state.ts';
import { waitsAgainAt } from '../../../core/stopping/continue-run.ts';
import { describeRung, pathOf } from '../../../core/stopping/ladder.ts';
import type { SearchPolicy } from '../../../core/stopping/policy.ts';
import { policyOf } from '../../../core/stopping/policy.ts';
import type { Stage } from '../../../core/task.ts';
import { ladderColumns, toLadderRun } from '../rungs/ladder-sql.ts';
import type { LadderRow } from '../rungs/ladder-sql.ts';
import { insertSearch, lockSearch, reopenSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { SEARCH_END_CAUSES } from '../state-sql.ts';
import { readSpec } from '../sweeps/read-spec.ts';
import type { StoreTransaction } from '../transaction.ts';
import { resumeScreen } from './resume-screen.ts';
import { readOpenStages, trainAgain } from './train-again.ts';

/**
 * Locks the search of a locked sweep. A sweep that was planned before searches were recorded gets one, by the rules of its spec.
 *
 * @returns null: the sweep is not planned
 */
export async function lockOrInsertSearch(tx: StoreTransaction, sweepId: string): Promise<LockedSearch | null> {
  const search = await lockSearch(tx, sweepId);
  if (search !== null) return search;
  const { rows } = await tx.query<LadderRow>(
    `SELECT ${ladderColumns('r')} FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
      WHERE r.sweep_id = $1 AND s.planned AND r.state <> 'INFEASIBLE' ORDER BY r.run_index`,
    [sweepId],
  );
  if (rows.length === 0) return null;
  await insertSearch(tx, sweepId, policyOf(await readSpec(tx, sweepId), rows.map(toLadderRun)));
  return lockSearch(tx, sweepId);
}

interface StoppedRow extends LadderRow {
  readonly run_id: string;
  readonly head_run_id: string;
  readonly stage: Stage;
  readonly rung: number | null;
}

/**
 * Continues the search of a locked sweep, because a person gives it more work or a larger budget. This undoes what the end of the search
 * did to runs: those that it stopped at a rung wait there again, as if it had not ended, and the others are queued with tasks that
 * continue from their checkpoints. Runs that a rule or a person stopped stay so.
 *
 * @param why for people
 * @returns the number of runs that resume
 */
export async function continueSearch(tx: StoreTransaction, search: LockedSearch, why: string): Promise<number> {
  const { sweepId, policy } = search;
  await reopenSearch(tx, search);
  const { rows } = await tx.query<StoppedRow>(
    `SELECT r.run_id, coalesce(r.head_run_id, r.run_id) AS head_run_id, r.stage, r.rung, ${ladderColumns('r')}
       FROM runs r WHERE r.sweep_id = $1 AND r.state = 'STOPPED' AND r.end_cause IN ${SEARCH_END_CAUSES}
      ORDER BY r.run_id FOR NO KEY UPDATE OF r`,
    [sweepId],
  );
  const stopped = rows.map((row) => ({ row, rung: rungOf(policy, row) }));
  const queued = stopped.filter(({ rung }) => rung === null).map(({ row }) => row);
  const isScreening = policy.screen !== undefined && (await resumeScreen(tx, sweepId));
  const open = await readOpenStages(
    tx,
    queued.map((row) => ({ runId: row.run_id, headRunId: row.head_run_id })),
  );
  await trainAgain(tx, sweepId, open, 'continued');
  const moves = stopped.flatMap(({ row, rung }): Move[] => {
    const definition = rung === null ? undefined : policy.ladder[rung];
    if (definition !== undefined) {
      return [
        { row, to: 'PAUSED', stage: row.stage, rung, reason: `waits at ${describeRung(definition)} again; ${why}` },
      ];
    }
    const first = open.get(row.run_id)?.[0];
    if (isScreening && first === undefined) return [{ row, to: 'QUEUED', stage: 'INDEX', rung: null, reason: why }];
    return first === undefined ? [] : [{ row, to: 'QUEUED', stage: first.stage, rung: null, reason: why }];
  });
  await moveBack(tx, sweepId, moves);
  return moves.length;
}

function rungOf(policy: SearchPolicy, row: StoppedRow): number | null {
  return waitsAgainAt(policy, pathOf(policy.ladder, toLadderRun(row)), row.rung);
}

interface Move {
  readonly row: StoppedRow;
  readonly to: Extract<RunState, 'PAUSED' | 'QUEUED'>;
  readonly stage: Stage;
  readonly rung: number | null;
  readonly reason: string;
}

/** Moves locked runs out of their final state: the transition table has no such way. */
async function moveBack(tx: StoreTransaction, sweepId: string, moves: readonly Move[]): Promise<void> {
  await tx.query(
    `UPDATE runs r
        SET state = m.state, state_reason = m.reason, stage = m.stage, paused_rung = m.rung, end_time = NULL, end_cause = NULL
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[]) AS m (run_id, state, reason, stage, rung)
      WHERE r.run_id = m.run_id AND r.state = 'STOPPED'`,
    [
      moves.map(({ row }) => row.run_id),
      moves.map(({ to }) => to),
      moves.map(({ reason }) => reason),
      moves.map(({ stage }) => stage),
      moves.map(({ rung }) => rung),
    ],
  );
  for (const { row, to, stage, reason } of moves) {
    tx.emit(sweepId, { kind: 'RUN_STATE', runId: row.run_id, state: to, stage, reason });
  }
}
