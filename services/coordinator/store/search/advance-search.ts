import { nextAction } from '../../../core/stopping/advance.ts';
import type { SearchAction } from '../../../core/stopping/advance.ts';
import { actionInputs } from '../../../core/stopping/decision-inputs.ts';
import { pausesAtRungs } from '../../../core/stopping/policy.ts';
import type { SearchState } from '../../../core/stopping/search-state.ts';
import type { SweepScope } from '../move-sweep.ts';
import { addDecisions } from '../rungs/add-decisions.ts';
import type { NewDecision } from '../rungs/add-decisions.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';
import { recordEnd, stopIdle } from './close-search.ts';
import { promote } from './promote.ts';
import { readState } from './read-state.ts';
import type { StoredState, WaitingRun } from './read-state.ts';

/**
 * Advances the search of a locked sweep: promotes runs that wait at rungs, or ends the search. Depends on rows only, so that it can be
 * repeated at any time. Each decision is stored with what it was made from.
 *
 * @returns whether it changed anything
 */
export async function advanceSearch({ tx, sweep }: SweepScope): Promise<boolean> {
  if (sweep.state !== 'ACTIVE') return false;
  const search = await lockSearch(tx, sweep.sweepId);
  if (search === null) return false;
  if (search.endReason !== null) return closeAgain(tx, search);
  if (search.policy.ladder.length === 0 && !(await hasBudget(tx, sweep.sweepId))) return false;
  const stored = await readState(tx, search);
  const promoted: { readonly run: WaitingRun; readonly rung: number; readonly reason: string }[] = [];
  const decisions: NewDecision[] = [];
  let { state } = stored;
  for (;;) {
    const action = nextAction(search.policy, state);
    if (action === null) break;
    decisions.push(decisionOf(action, state, stored));
    if (action.kind === 'END') {
      await addDecisions(tx, search, decisions);
      await recordEnd(tx, search, action.cause);
      await stopIdle(tx, search, action.cause, action.reason, { ...stored, state });
      tx.store.log.info({ sweep_id: sweep.sweepId, cause: action.cause }, `search ended: ${action.reason}`);
      return true;
    }
    const run = stored.waiting.get(action.runIndex);
    if (run === undefined) throw new Error(`Run ${action.runIndex} of ${sweep.sweepId} does not wait at a rung.`);
    promoted.push({ run, rung: action.rung, reason: action.reason });
    state = withPromoted(state, action);
  }
  await addDecisions(tx, search, decisions);
  await promote(tx, search, promoted, stored);
  return promoted.length > 0;
}

async function hasBudget(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { rowCount } = await tx.prepared('SELECT 1 FROM sweeps WHERE sweep_id = $1 AND budget IS NOT NULL', [sweepId]);
  return rowCount !== 0;
}

function decisionOf(action: SearchAction, state: SearchState, { runIds }: StoredState): NewDecision {
  const inputs = actionInputs(state);
  const { kind, rule, reason } = action;
  if (action.kind === 'END') return { kind, runId: null, rung: null, rule, inputs, reason };
  const { rung, place, cut, idle } = action;
  const runId = runIds[action.runIndex] ?? null;
  return { kind, runId, rung, rule, place, cut, inputs: idle ? { ...inputs, idle } : inputs, reason };
}

/** Returns the state after a promotion, as the next decision sees it. */
function withPromoted(
  state: SearchState,
  { runIndex, rung, idle }: Extract<SearchAction, { kind: 'PROMOTE' }>,
): SearchState {
  const { slots, spending, openTasks } = state;
  const seconds = state.runs[runIndex]?.nextSeconds ?? 0;
  const runs = state.runs.map((run) => {
    if (run.index !== runIndex) return run;
    return { ...run, status: 'TRAINING' as const, idleFrom: idle ? [...run.idleFrom, rung] : run.idleFrom };
  });
  return {
    ...state,
    runs,
    slots: { ...slots, idle: Math.max(0, slots.idle - 1) },
    openTasks: openTasks + 1,
    spending: { ...spending, reservedSeconds: spending.reservedSeconds + seconds },
  };
}

/** Stops runs that became idle after the end, for example because their attempt was lost. */
async function closeAgain(tx: StoreTransaction, search: LockedSearch): Promise<boolean> {
  const { endReason, sweepId, policy } = search;
  if (endReason === null || (endReason === 'ALL_DECIDED' && !pausesAtRungs(policy))) return false;
  const { rows } = await tx.query<{ reason: string }>(
    `SELECT reason FROM decisions
      WHERE sweep_id = $1 AND kind = 'END' AND EXISTS (SELECT 1 FROM runs WHERE sweep_id = $1 AND state IN ${IDLE_RUNS})
      ORDER BY decision_id DESC LIMIT 1`,
    [sweepId],
  );
  if (rows.length === 0) return false;
  return stopIdle(tx, search, endReason, rows[0]?.reason ?? '', await readState(tx, search));
}
