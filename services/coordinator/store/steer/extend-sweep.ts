import { IllegalStateError, NotFoundError } from '../../../core/errors.ts';
import type { BudgetSpec } from '../../../core/sweep/search-spec.ts';
import type { SweepExtension } from '../../../core/sweep/extend-spec.ts';
import type { SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import { runIdOf } from '../../../core/ids.ts';
import type { SweepState } from '../../../core/states/sweep-state.ts';
import { lockSweep, reopenSweep } from '../move-sweep.ts';
import type { SweepScope } from '../move-sweep.ts';
import { recordActions } from '../rungs/record-action.ts';
import type { Action } from '../rungs/record-action.ts';
import { settleSweep } from '../settle/settle-sweep.ts';
import { settleSweeps } from '../settle/settle-sweeps.ts';
import type { Store } from '../store.ts';
import type { ExtensionDraft } from '../sweeps/draft-sweep.ts';
import { INSERT_RUNS, INTEGER_NAMES } from '../sweeps/insert-runs.ts';
import { extendPlan } from '../sweeps/write-plan.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';

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
 * that are there. An ended sweep is ACTIVE again, and what is the best run then is tested. An extension that the sweep has already
 * changes nothing.
 *
 * @returns false: another extension came first, so the runs must be drafted again
 * @throws NotFoundError; IllegalStateError for a sweep that was cancelled, or that failed before it was planned
 */
export async function extendSweep(store: Store, sweepId: string, extension: DraftedExtension): Promise<boolean> {
  const otherSweeps = await inTransaction(
    store,
    async (tx) => {
      const scope = { tx, sweep: await lockSweep(tx, sweepId) };
      const present = await readPresent(tx, sweepId);
      requireOpen(scope, present.isPlanned);
      if (present.runCount !== extension.basisRunCount) return null;
      const actions = await applyExtension(scope, extension, present.budget);
      if (actions.length === 0) return [];
      const isExtended = extension.draft.runCount > 0;
      const active = isExtended ? await reopenSweep(scope, extension.why) : scope;
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
}

async function readPresent(tx: StoreTransaction, sweepId: string): Promise<Present> {
  const { rows } = await tx.query<{ planned: boolean; run_count: number; budget: BudgetSpec | null }>(
    `SELECT planned, budget, (SELECT count(*)::int FROM runs r WHERE r.sweep_id = s.sweep_id) AS run_count
       FROM sweeps s WHERE s.sweep_id = $1`,
    [sweepId],
  );
  if (rows[0] === undefined) throw new NotFoundError('sweep', sweepId);
  return { isPlanned: rows[0].planned, runCount: rows[0].run_count, budget: rows[0].budget };
}

function requireOpen({ sweep: { sweepId, state } }: SweepScope, isPlanned: boolean): void {
  const refuse = (remedy: string): never => {
    const allowed: readonly SweepState[] = ['ACTIVE', 'PAUSED', 'SUCCEEDED', 'FAILED'];
    throw new IllegalStateError(`sweep ${sweepId}`, state, 'extend', allowed, remedy);
  };
  if (state === 'CANCELLED')
    refuse('A person cancelled it. Submit the sweep again; it takes over the results that are there.');
  if (state === 'FAILED' && !isPlanned)
    refuse('It failed before it was planned. Fix the cause, and submit the sweep again.');
}

/** Changes budget and runs. @returns what was changed, for the record */
async function applyExtension(
  { tx, sweep: { sweepId } }: SweepScope,
  { extension, draft, basisRunCount, why }: DraftedExtension,
  from: BudgetSpec | null,
): Promise<Action[]> {
  const actions: Action[] = [];
  const { budget: to, maxRuns, epochs, fineTuneEpochs } = extension;
  if (to !== null && JSON.stringify(to) !== JSON.stringify(from && { ...to, ...from })) {
    await tx.query('UPDATE sweeps SET budget = $2::jsonb WHERE sweep_id = $1', [sweepId, JSON.stringify(to)]);
    actions.push({ kind: 'CHANGE_BUDGET', runId: null, reason: why, inputs: { from, to } });
  }
  if (draft.runCount === 0) {
    await recordActions(tx, sweepId, actions);
    return actions;
  }
  await tx.query('UPDATE sweeps SET spec = $2::jsonb, varied_names = $3 WHERE sweep_id = $1', [
    sweepId,
    JSON.stringify(draft.spec),
    draft.variedNames,
  ]);
  for (const rows of draft.shares) await tx.query(INSERT_RUNS, [sweepId, rows, INTEGER_NAMES]);
  const runIds = Array.from({ length: draft.runCount }, (_, index) => runIdOf(sweepId, basisRunCount + index));
  const inputs = { runCount: draft.runCount, firstRunIndex: basisRunCount, maxRuns, epochs, fineTuneEpochs };
  actions.push({ kind: 'EXTEND', runId: null, reason: why, inputs });
  // Before the plan: a search that has ended judges again.
  await recordActions(tx, sweepId, actions);
  for (const runId of runIds)
    tx.emit(sweepId, { kind: 'RUN_STATE', runId, state: 'QUEUED', stage: 'INDEX', reason: why });
  await extendPlan(tx, sweepId, runIds);
  return actions;
}
