import { nextAction } from '../../../core/stopping/advance.ts';
import { actionInputs } from '../../../core/stopping/decision-inputs.ts';
import type { SweepScope } from '../move-sweep.ts';
import { lockSweep } from '../move-sweep.ts';
import type { SuggestedRound } from '../planning/round-jobs.ts';
import { endRuns } from '../runs/end-runs.ts';
import { addDecisions } from '../rungs/add-decisions.ts';
import { lockSearch } from '../rungs/search-row.ts';
import type { LockedSearch } from '../rungs/search-row.ts';
import { readState } from '../search/read-state.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import { rowsOf, suggestionRow } from '../sweeps/draft-sweep.ts';
import { INSERT_RUNS, INTEGER_NAMES } from '../sweeps/insert-runs.ts';
import { INSERT_SUGGESTIONS } from '../sweeps/insert-suggestions.ts';
import { extendPlan } from '../sweeps/write-plan.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import type { DueRound } from './due-round.ts';

/**
 * Stores a computed round: the decision SUGGEST, its runs and their tasks. A round without a run is stored too: it says that the space is
 * exhausted, which ends the search.
 *
 * @returns false: it is not due any more, so nothing was stored
 * @throws NotFoundError
 */
export async function insertRound(
  store: Store,
  sweepId: string,
  round: DueRound,
  computed: SuggestedRound,
): Promise<boolean> {
  const otherSweeps = await inTransaction(store, async (tx) => {
    const scope = { tx, sweep: await lockSweep(tx, sweepId) };
    const search = await lockSearch(tx, sweepId);
    if (search === null || !(await isStillDue(scope, search, round))) return null;
    tx.addStep('suggest');
    await addRound(tx, search, round, computed);
    await settleSweep(scope, null);
    return [...tx.otherSweeps];
  });
  if (otherSweeps === null) return false;
  await settleSweeps(store, otherSweeps);
  return true;
}

/**
 * Returns whether the round that was computed is the one that is due now. No decision was made since, so that no score has come and no
 * person has changed the sweep. A run may have failed, and a budget may pay for fewer runs by now: the round is kept as it was decided.
 */
async function isStillDue(
  { tx, sweep }: SweepScope,
  search: LockedSearch,
  { due, decisionCount }: DueRound,
): Promise<boolean> {
  if (sweep.state !== 'ACTIVE' || search.endReason !== null || search.decisionCount !== decisionCount) return false;
  const { state } = await readState(tx, search);
  const now = nextAction(search.policy, state);
  return now?.kind === 'SUGGEST' && now.round === due.round;
}

async function addRound(
  tx: StoreTransaction,
  search: LockedSearch,
  { due, state }: DueRound,
  { suggested, variedNames }: SuggestedRound,
): Promise<void> {
  const { sweepId } = search;
  const { kind, rule, reason, round, count } = due;
  const inputs = { ...actionInputs(state), suggested: suggested.length, count };
  await addDecisions(tx, search, [{ kind, runId: null, rung: null, rule, inputs, reason }]);
  const decisionId = search.decisionCount;
  tx.store.log.info({ sweep_id: sweepId, round, runs: suggested.length }, `round added: ${reason}`);
  if (suggested.length === 0) return;
  const first = state.runs.length;
  const runs = suggested.map((run, place) => ({ ...run, index: first + place }));
  await tx.query(INSERT_RUNS, [sweepId, rowsOf(sweepId, runs), INTEGER_NAMES]);
  const rows = runs.map((run, place) => suggestionRow(sweepId, run, place));
  await tx.query(INSERT_SUGGESTIONS, [sweepId, round, decisionId, JSON.stringify(rows)]);
  await tx.query('UPDATE sweeps SET varied_names = $2 WHERE sweep_id = $1', [sweepId, variedNames]);
  const runIds = rows.map(({ run_id }) => run_id);
  for (const [place, runId] of runIds.entries()) {
    const why = `round ${round}, place ${place + 1} of ${runIds.length}`;
    tx.emit(sweepId, { kind: 'RUN_STATE', runId, state: 'QUEUED', stage: 'INDEX', reason: why });
  }
  await failWithoutWeights(tx, sweepId, runIds);
  await extendPlan(tx, sweepId, runIds);
}

/** Fails the runs whose weights no trainer had when the sweep was indexed, as those of the first round are failed then. */
async function failWithoutWeights(tx: StoreTransaction, sweepId: string, runIds: readonly string[]): Promise<void> {
  const { rows } = await tx.query<{ run_id: string; backbone: string; weights: string }>(
    `SELECT r.run_id, r.parameters ->> 'backbone' AS backbone, r.parameters ->> 'weights' AS weights
       FROM runs r JOIN sweeps s ON s.sweep_id = r.sweep_id
      WHERE r.sweep_id = $1 AND r.run_id = ANY($2)
        AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(s.weights) AS info
                         WHERE info ->> 'backbone' = r.parameters ->> 'backbone' AND info ->> 'weights' = r.parameters ->> 'weights')
      ORDER BY r.run_id`,
    [sweepId, runIds],
  );
  for (const { run_id: runId, backbone, weights } of rows) {
    const reason = `no trainer had the weights ${weights} of ${backbone} when the sweep was indexed`;
    await endRuns(tx, [runId], { to: 'FAILED', reason });
  }
}
