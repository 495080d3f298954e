import { isDecided } from '../../../core/records/decision.ts';
import { nextAction } from '../../../core/stopping/advance.ts';
import type { Promotion, Repetition, Screening, SearchEnd } from '../../../core/stopping/action.ts';
import { actionInputs } from '../../../core/stopping/decision-inputs.ts';
import { pausesAtRungs } from '../../../core/stopping/policy.ts';
import type { SearchRun, SearchState } from '../../../core/stopping/search-state.ts';
import type { SweepScope } from '../move-sweep.ts';
import { addDecisions } from '../rungs/add-decisions.ts';
import type { NewDecision } from '../rungs/add-decisions.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { isScreening } from '../run-sql.ts';
import { IDLE_RUNS } from '../state-sql.ts';
import type { StoreTransaction } from '../transaction.ts';
import { applyScreen } from './apply-screen.ts';
import { applyVerdicts } from './apply-verdicts.ts';
import { recordEnd, stopIdle } from './close-search.ts';
import { promote } from './promote.ts';
import { readState } from './read-state.ts';
import type { StoredState, WaitingRun } from './read-state.ts';
import { repeatRuns } from './repeat-runs.ts';

/**
 * Advances the search of a locked sweep: promotes runs that wait at rungs, finds the next round due, or ends the search. Depends on rows only, so that it can be
 * repeated at any time. Each decision is stored with what it was made from.
 *
 * @returns whether it changed anything
 */
export async function advanceSearch({ tx, sweep }: SweepScope): Promise<boolean> {
  if (sweep.state !== 'ACTIVE') return false;
  const search = await lockSearch(tx, sweep.sweepId);
  if (search === null) return false;
  if (search.endReason !== null) return closeAgain(tx, search);
  const { screen } = search.policy;
  const compares = search.policy.ladder.length > 0;
  const repeats = search.policy.finalists !== undefined;
  if (!compares && !repeats && !(await isAdvanced(tx, sweep.sweepId))) return false;
  const isApplied = compares && (await applyVerdicts(tx, search));
  const stored = await readState(tx, search);
  const promoted: { readonly run: WaitingRun; readonly rung: number; readonly reason: string }[] = [];
  const repetitions: Repetition[] = [];
  const decisions: NewDecision[] = [];
  let { state } = stored;
  for (;;) {
    const action = nextAction(search.policy, state);
    if (action === null) break;
    if (action.kind === 'SUGGEST') {
      tx.dueRounds.add(sweep.sweepId);
      break;
    }
    decisions.push(decisionOf(action, state, stored));
    if (action.kind === 'SCREEN') {
      await addDecisions(tx, search, decisions);
      if (screen !== undefined) await applyScreen(tx, search, screen, action, state.screen?.candidates ?? []);
      // What follows is decided from the runs as they are now.
      await advanceSearch({ tx, sweep });
      return true;
    }
    if (action.kind === 'END') {
      await addDecisions(tx, search, decisions);
      await recordEnd(tx, search, action.cause);
      await stopIdle(tx, search, action.cause, action.reason, { ...stored, state });
      tx.store.log.info({ sweep_id: sweep.sweepId, cause: action.cause }, `search ended: ${action.reason}`);
      return true;
    }
    if (action.kind === 'REPEAT') {
      repetitions.push(action);
      state = withRepeated(state, action);
      continue;
    }
    const run = stored.waiting.get(action.runIndex);
    if (run === undefined) throw new Error(`Run ${action.runIndex} of ${sweep.sweepId} does not wait at a rung.`);
    promoted.push({ run, rung: action.rung, reason: action.reason });
    state = withPromoted(state, action);
  }
  await addDecisions(tx, search, decisions);
  await promote(tx, search, promoted, stored);
  if (repetitions.length > 0) {
    await repeatRuns(tx, sweep.sweepId, repetitions);
    // Results of equal runs of other sweeps may have ended all repetitions.
    await advanceSearch({ tx, sweep });
  }
  return isApplied || promoted.length + repetitions.length > 0;
}

/** Returns whether the search of a sweep that compares no runs has something to decide: a screen, or the end by a budget. */
async function isAdvanced(tx: StoreTransaction, sweepId: string): Promise<boolean> {
  const { rowCount } = await tx.prepared(
    `SELECT 1 FROM sweeps s WHERE s.sweep_id = $1 AND (s.budget IS NOT NULL OR ${isScreening('s')})`,
    [sweepId],
  );
  return rowCount !== 0;
}

function decisionOf(
  action: Promotion | Repetition | Screening | SearchEnd,
  state: SearchState,
  { runIds }: StoredState,
): NewDecision {
  const inputs = actionInputs(state);
  const { kind, rule, reason } = action;
  if (action.kind === 'SCREEN') {
    return { kind, runId: null, rung: null, rule, inputs: { ...inputs, table: tableOf(action, state) }, reason };
  }
  if (action.kind === 'END') return { kind, runId: null, rung: null, rule, inputs, reason };
  const runId = runIds[action.runIndex] ?? null;
  if (action.kind === 'REPEAT') {
    const { place, cut, seeds } = action;
    return { kind, runId, rung: null, rule, place, cut, inputs: { ...inputs, seeds }, reason };
  }
  const { rung, place, cut, idle } = action;
  return { kind, runId, rung, rule, place, cut, inputs: idle ? { ...inputs, idle } : inputs, reason };
}

/** Returns the table of a screen for people; a replay needs the rows of the probes alone. */
function tableOf({ table: { verdicts, alpha } }: Screening, { screen }: SearchState): object {
  const candidates = screen?.candidates ?? [];
  return {
    alpha,
    verdicts: verdicts.map((verdict) => {
      const candidate = candidates.find(({ position }) => position === verdict.position);
      if (candidate === undefined) return verdict;
      const { backbone, weights, cut, imageSize, pooling, seconds, evidence, failure } = candidate;
      const measured = { logMe: evidence?.logMe ?? null, failure };
      return { ...verdict, backbone, weights, cut, imageSize, pooling, featureSeconds: seconds, ...measured };
    }),
  };
}

/** Returns the state after a promotion, as the next decision sees it. */
function withPromoted(state: SearchState, { runIndex, rung, idle }: Promotion): SearchState {
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

/** Returns the state after a repetition, as the next decision sees it. */
function withRepeated(state: SearchState, { runIndex, seeds }: Repetition): SearchState {
  const { runs, spending } = state;
  const seconds = state.finals?.find(({ index }) => index === runIndex)?.seconds ?? 0;
  const added = Array.from({ length: seeds - 1 }, (_, offset): SearchRun => ({
    index: runs.length + offset,
    status: 'BELOW',
    rung: null,
    path: [],
    nextSeconds: 0,
    idleFrom: [],
    repeatOf: runIndex,
  }));
  return {
    ...state,
    runs: [...runs, ...added],
    spending: { ...spending, reservedSeconds: spending.reservedSeconds + (seeds - 1) * seconds },
  };
}

/** Stops runs that became idle after the end, for example because their attempt was lost. */
async function closeAgain(tx: StoreTransaction, search: LockedSearch): Promise<boolean> {
  const { endReason, sweepId, policy } = search;
  if (endReason === null || (isDecided(endReason) && !pausesAtRungs(policy))) return false;
  const { rows } = await tx.query<{ reason: string }>(
    `SELECT reason FROM decisions
      WHERE sweep_id = $1 AND kind = 'END' AND EXISTS (SELECT 1 FROM runs WHERE sweep_id = $1 AND state IN ${IDLE_RUNS})
      ORDER BY decision_id DESC LIMIT 1`,
    [sweepId],
  );
  if (rows.length === 0) return false;
  return stopIdle(tx, search, endReason, rows[0]?.reason ?? '', await readState(tx, search));
}
