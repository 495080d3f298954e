import { digestOf } from '../../../core/digest.ts';
import type { JsonValue } from '../../../core/digest.ts';
import { BoundReachedError, IllegalStateError, InvalidRequestError, NotFoundError } from '../../../core/errors.ts';
import { runIdOf } from '../../../core/ids.ts';
import type { Objective } from '../../../core/objective.ts';
import { isDecided } from '../../../core/records/decision.ts';
import type { SearchEnd } from '../../../core/records/decision.ts';
import { hasBaseline } from '../../../core/samplers/baseline.ts';
import { isAdaptive } from '../../../core/samplers/samplers.ts';
import { isTerminalSweepState } from '../../../core/states/sweep-state.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { changedBudget, looserBounds } from '../../../core/sweep/change-budget.ts';
import type { SweepExtension } from '../../../core/sweep/extend-spec.ts';
import type { BudgetSpec } from '../../../core/sweep/search-spec.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { lockSweep, reopenSweep } from '../move-sweep.ts';
import type { SweepScope } from '../move-sweep.ts';
import { recordActions } from '../rungs/record-action.ts';
import type { Action } from '../rungs/record-action.ts';
import { continueSearch, lockOrInsertSearch } from '../search/continue-search.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import type { ExtensionDraft } from '../sweeps/draft-sweep.ts';
import { INSERT_RUNS, INTEGER_NAMES } from '../sweeps/insert-runs.ts';
import { extendPlan } from '../sweeps/write-plan.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { requireIndexed } from './require-indexed.ts';
import { requireRoom } from './require-room.ts';

/** The present state of a sweep, from which an extension is drafted. */
export interface ExtensionBasis {
  readonly spec: SweepSpec;
  /** Digests of the runs. */
  readonly digests: readonly string[];
  readonly variedNames: readonly string[];
}

/** Reads what an extension is drafted from. @throws NotFoundError */
export async function readExtensionBasis({ pool }: Pick<Store, 'pool'>, sweepId: string): Promise<ExtensionBasis> {
  const { rows } = await pool.query<{ spec: SweepSpec; varied_names: string[]; digests: string[] }>(
    `SELECT s.spec, s.varied_names,
            ARRAY(SELECT r.parameters_digest FROM runs r WHERE r.sweep_id = s.sweep_id ORDER BY r.run_index) AS digests
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined) throw new NotFoundError('sweep', sweepId);
  return { spec: row.spec, digests: row.digests, variedNames: row.varied_names };
}

/** An extension with the runs that were drafted for it. */
export interface DraftedExtension {
  readonly extension: SweepExtension;
  readonly draft: ExtensionDraft;
  /** Number of runs from which it was drafted. */
  readonly basisRunCount: number;
  /** Reason for people, with the person's name. */
  readonly why: string;
}

/**
 * Adds runs and budget to a sweep. Runs that it has keep their numbers and results; added ones are planned with the features and heads
 * that are there. A search that has ended continues: runs that only its end had stopped resume. An ended sweep with work to do is ACTIVE
 * again, and what is the best run then is tested. An extension that the sweep has already changes nothing.
 *
 * @returns false: another extension came first, so the runs must be drafted again
 * @throws NotFoundError; IllegalStateError for a sweep that was cancelled, or that ended before it was planned; BoundReachedError;
 * InvalidRequestError for weights that the sweep has not looked for
 */
export async function extendSweep(store: Store, sweepId: string, extension: DraftedExtension): Promise<boolean> {
  const otherSweeps = await inTransaction(
    store,
    async (tx) => {
      const scope = { tx, sweep: await lockSweep(tx, sweepId) };
      const present = await readPresent(tx, sweepId);
      requireOpen(scope, present.isPlanned);
      if (present.runCount !== extension.basisRunCount) return null;
      tx.addStep('extend');
      const active = await applyExtension(scope, extension, present);
      if (active === null) return [];
      tx.mirror(sweepId, { kind: 'SWEEP' });
      await settleSweep(active, null);
      return [...tx.otherSweeps];
    },
    'steer',
  );
  if (otherSweeps === null) return false;
  await settleSweeps(store, otherSweeps);
  return true;
}

interface Present {
  readonly isPlanned: boolean;
  readonly runCount: number;
  readonly budget: BudgetSpec | null;
  readonly spec: SweepSpec;
  readonly hasBaseline: boolean | null;
  /** Parameters of run 0. */
  readonly firstRun: Parameters;
}

async function readPresent(tx: StoreTransaction, sweepId: string): Promise<Present> {
  const { rows } = await tx.query<{
    planned: boolean;
    run_count: number;
    budget: BudgetSpec | null;
    spec: SweepSpec;
    has_baseline: boolean | null;
    first_run: Parameters;
  }>(
    `SELECT planned, budget, spec, has_baseline, (SELECT count(*)::int FROM runs r WHERE r.sweep_id = s.sweep_id) AS run_count,
            (SELECT r.parameters FROM runs r WHERE r.sweep_id = s.sweep_id AND r.run_index = 0) AS first_run
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined) throw new NotFoundError('sweep', sweepId);
  const { planned: isPlanned, run_count: runCount, budget, spec, has_baseline, first_run: firstRun } = row;
  return { isPlanned, runCount, budget, spec, hasBaseline: has_baseline, firstRun };
}

function requireOpen({ sweep: { sweepId, state } }: SweepScope, isPlanned: boolean): void {
  const refuse = (remedy: string): never => {
    const allowed: readonly SweepState[] = ['ACTIVE', 'PAUSED', 'SUCCEEDED', 'FAILED'];
    throw new IllegalStateError(`sweep ${sweepId}`, state, 'extend', allowed, remedy);
  };
  if (state === 'CANCELLED')
    refuse('A person cancelled it. Submit the sweep again; it takes over the results that are there.');
  if (isTerminalSweepState(state) && !isPlanned)
    refuse(
      'It ended before it was planned, so there is nothing to add to. Submit the sweep again with what you want to add.',
    );
}

/** Changes budget and runs. @returns the sweep that continues; null: nothing changes */
async function applyExtension(
  scope: SweepScope,
  { extension, draft, basisRunCount, why }: DraftedExtension,
  present: Present,
): Promise<SweepScope | null> {
  const {
    tx,
    sweep: { sweepId },
  } = scope;
  const { budget: change, maxRuns, epochs, fineTuneEpochs } = extension;
  const from = present.budget;
  const to = change === null ? from : changedBudget(from, change);
  const changesBudget = digestOf(to as JsonValue) !== digestOf(from as JsonValue);
  const addsRuns = draft.runCount > 0;
  // Rounds up to the new bound follow once the search continues.
  const addsRounds = isAdaptive(draft.spec) && draft.spec.maxRuns !== present.spec.maxRuns;
  if (!changesBudget && !addsRuns && !addsRounds) return null;
  const actions: Action[] = [];
  if (changesBudget) {
    await tx.query('UPDATE sweeps SET budget = $2::jsonb WHERE sweep_id = $1', [sweepId, to && JSON.stringify(to)]);
    actions.push({ kind: 'CHANGE_BUDGET', runId: null, reason: why, inputs: { from, to } });
  }
  const search = await lockOrInsertSearch(tx, sweepId);
  const continues = addsRuns || addsRounds || givesMore(present.spec.objective, from, to, search?.endReason ?? null);
  if (continues) await requireRoom(scope, 'extend', `sweep ${sweepId}`);
  if (addsRounds && !addsRuns) requireRounds(scope, search?.endReason ?? null, maxRuns, from, to);
  const runIds = Array.from({ length: draft.runCount }, (_, index) => runIdOf(sweepId, basisRunCount + index));
  if (addsRuns || addsRounds) {
    await insertRuns(tx, sweepId, draft, present);
    await requireIndexed(tx, sweepId, runIds);
    const inputs = { runCount: draft.runCount, firstRunIndex: basisRunCount, maxRuns, epochs, fineTuneEpochs };
    actions.push({ kind: 'EXTEND', runId: null, reason: why, inputs });
  }
  await recordActions(tx, sweepId, actions);
  const continued = search === null || !continues ? 0 : await continueSearch(tx, search, why);
  // Finalists that the budget did not pay for are repeated now, and further rounds may come.
  const mayAct = continues && (search?.policy.finalists !== undefined || isAdaptive(draft.spec));
  const active = addsRuns || continued > 0 || mayAct ? await reopenSweep(scope, why) : scope;
  for (const runId of runIds)
    tx.emit(sweepId, { kind: 'RUN_STATE', runId, state: 'QUEUED', stage: 'INDEX', reason: why });
  if (addsRuns) await extendPlan(tx, sweepId, runIds);
  return active;
}

/** Returns whether more work may follow from another budget in a search that has ended. */
function givesMore(
  objective: Objective,
  from: BudgetSpec | null,
  to: BudgetSpec | null,
  end: SearchEnd | null,
): boolean {
  const { slotSeconds, wallSeconds, target, patience } = looserBounds(objective, from, to);
  if (end === null) return false;
  // When all was decided, only slot-seconds may have kept a run from its promotion.
  return slotSeconds || (end === 'PATIENCE' && patience) || (!isDecided(end) && (wallSeconds || target));
}

/**
 * Requires that a larger bound on the runs brings rounds.
 *
 * @throws InvalidRequestError where no point is left; BoundReachedError where the patience has passed
 */
function requireRounds(
  { sweep: { sweepId, state } }: SweepScope,
  end: SearchEnd | null,
  maxRuns: number | null,
  from: BudgetSpec | null,
  to: BudgetSpec | null,
): void {
  if (end === 'SPACE_EXHAUSTED') {
    const description = `adds no run: the search space has no other point; received ${maxRuns}. Add variants.`;
    throw new InvalidRequestError([{ field: 'max_runs', description }]);
  }
  const patience = from?.patienceRounds;
  if (end !== 'PATIENCE' || patience === undefined || (to?.patienceRounds ?? Infinity) > patience) return;
  const reason = `${countOf(patience, 'round')} brought no better run`;
  const remedy =
    'This bound must change in the same call: give a larger one with --patience-rounds, or remove it with --patience-rounds none.';
  throw new BoundReachedError(`sweep ${sweepId}`, state, 'extend', reason, remedy);
}

/** Inserts the added runs. Which run the others are compared with stays as it was. */
async function insertRuns(
  tx: StoreTransaction,
  sweepId: string,
  draft: ExtensionDraft,
  { spec, hasBaseline: known, firstRun }: Present,
): Promise<void> {
  await tx.query('UPDATE sweeps SET spec = $2::jsonb, varied_names = $3, has_baseline = $4 WHERE sweep_id = $1', [
    sweepId,
    JSON.stringify(draft.spec),
    draft.variedNames,
    hasBaseline({ spec, hasBaseline: known }, firstRun),
  ]);
  for (const rows of draft.shares) await tx.query(INSERT_RUNS, [sweepId, rows, INTEGER_NAMES]);
}
