import { withKnownWeights } from '../../../core/search-round/known-weights.ts';
import type { RoundInput } from '../../../core/search-round/suggest-round.ts';
import type { RoundDue } from '../../../core/stopping/action.ts';
import { nextAction } from '../../../core/stopping/advance.ts';
import type { SearchState } from '../../../core/stopping/search-state.ts';
import type { Parameters, SweepSpec } from '../../../core/sweep/sweep-spec.ts';
import type { WeightsInfo } from '../../../core/task.ts';
import { lockSweep } from '../move-sweep.ts';
import { readScreened } from '../rungs/read-screened.ts';
import { lockSearch } from '../rungs/search-row.ts';
import { readState } from '../search/read-state.ts';
import type { StoreTransaction } from '../transaction.ts';

/** A round that is due, with what it is computed from. */
export interface DueRound {
  readonly due: RoundDue;
  readonly state: SearchState;
  /** Decisions that were stored then. */
  readonly decisionCount: number;
  readonly input: RoundInput;
}

/** Reads the round that is due, under the locks that every change of it takes; null: none is. */
export async function readDueRound(tx: StoreTransaction, sweepId: string): Promise<DueRound | null> {
  const sweep = await lockSweep(tx, sweepId);
  if (sweep.state !== 'ACTIVE') return null;
  const search = await lockSearch(tx, sweepId);
  if (search === null || search.endReason !== null || search.policy.rounds === undefined) return null;
  const { state } = await readState(tx, search);
  const due = nextAction(search.policy, state);
  if (due?.kind !== 'SUGGEST') return null;
  const { policy, decisionCount } = search;
  return {
    due,
    state,
    decisionCount,
    input: { policy, state: withoutEvidence(state), ...(await readRuns(tx, sweepId)) },
  };
}

/** Returns a state without results by image, which no sampler reads and a thread would copy. */
function withoutEvidence(state: SearchState): SearchState {
  return { ...state, rungs: state.rungs.map((entries) => entries.map((entry) => ({ ...entry, evidence: null }))) };
}

async function readRuns(
  tx: StoreTransaction,
  sweepId: string,
): Promise<Pick<RoundInput, 'spec' | 'parameters' | 'samplers' | 'screened'>> {
  const sweeps = await tx.query<{ spec: SweepSpec; weights: WeightsInfo[] | null }>(
    'SELECT spec, weights FROM sweeps WHERE sweep_id = $1',
    [sweepId],
  );
  const [sweep] = sweeps.rows;
  if (sweep === undefined) throw new Error(`Sweep ${sweepId} has no row.`);
  const { rows } = await tx.query<{ parameters: Parameters; sampler: string | null }>(
    `SELECT r.parameters, u.sampler FROM runs r LEFT JOIN suggestions u ON u.run_id = r.run_id
      WHERE r.sweep_id = $1 ORDER BY r.run_index`,
    [sweepId],
  );
  return {
    spec: withKnownWeights(sweep.spec, sweep.weights ?? []),
    parameters: rows.map(({ parameters }) => parameters),
    samplers: rows.map(({ sampler }) => sampler),
    screened: await readScreened(tx, sweepId),
  };
}
