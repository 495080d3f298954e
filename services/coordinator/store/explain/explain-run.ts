import type { DecisionRecord, PairedComparisonRecord, RunExplanation } from '../../../core/records/explanation.ts';
import type { RunRecord } from '../../../core/records/run.ts';
import { drawsRuns } from '../../../core/samplers/samplers.ts';
import type { ActionInputs } from '../../../core/stopping/decision-inputs.ts';
import { stateOf } from '../../../core/stopping/decision-inputs.ts';
import { compareWithRival, explainRun as explain, pairsOf } from '../../../core/stopping/explain-run.ts';
import type { Pair, RunFacts } from '../../../core/stopping/explain-run.ts';
import { nameOf, targetKey } from '../../../core/stopping/screen/candidate.ts';
import { countOf } from '../../../core/text/count-of.ts';
import { readScreen } from '../rungs/read-candidates.ts';
import { keyOf, readEvidence } from '../rungs/read-evidence.ts';
import { readState } from '../search/read-state.ts';
import type { Store } from '../store.ts';
import { findSweep } from '../sweeps/find-sweep.ts';
import { readTargets } from '../sweeps/read-targets.ts';
import { inTransaction } from '../transaction.ts';
import type { StoreTransaction } from '../transaction.ts';
import { listDecisions } from './list-decisions.ts';
import { listRungEntries } from './list-rung-entries.ts';
import { readOrigin } from './read-origin.ts';
import { readStoredSearch } from './read-stored-search.ts';
import { readSearchSummary } from './search-summary.ts';

/** More entries and decisions than any sweep has. */
const ALL = 1_000_000;

/** Explains how far a run came, and why no further. */
export async function explainRun(store: Store, run: RunRecord): Promise<RunExplanation> {
  const { runId, sweepId } = run;
  const { items: own } = await listDecisions(store, { sweepId: null, runId }, null, ALL);
  const decisions = [...(await repeatDecisions(store, run)), ...own];
  const search = await readSearchSummary(store, sweepId);
  const origin = await readOrigin(store, runId);
  if (search === null) return { visits: [], otherDecisions: decisions, outlook: [], notes: [], origin };
  const { spec } = await findSweep(store, sweepId);
  const { items: entries } = await listRungEntries(store, sweepId, null, ALL);
  const { policy, end } = search;
  const screened = await inTransaction(store, (tx) => explainScreen(tx, run));
  const facts = await inTransaction(store, async (tx): Promise<RunFacts> => {
    const { search: stored } = await readStoredSearch(tx, sweepId, policy);
    const ended = end === null ? null : await readEnd(tx, sweepId);
    const state = ended === null ? (await readState(tx, { sweepId, policy })).state : stateOf(stored, ended);
    const sweep = { sweepId, maxRuns: drawsRuns(spec) ? spec.maxRuns : null };
    return { run, sweep, search, entries, stored, state, decisions };
  });
  const explained = { ...explain(facts, await comparePairs(store, sweepId, pairsOf(facts))), origin };
  if (screened === null) return explained;
  const notes = run.endCause === 'SCREENED' ? [] : explained.notes;
  return { ...explained, notes: [...screened, ...notes] };
}

/** Returns what the screen of a sweep said of a run's backbone; null: it said nothing. */
async function explainScreen(
  tx: StoreTransaction,
  { sweepId, runId, endCause }: RunRecord,
): Promise<readonly string[] | null> {
  const { candidates, isDecided, openCount } = await readScreen(tx, sweepId);
  if (candidates.length === 0) return null;
  const key = (await readTargets(tx, [runId])).get(runId);
  const candidate = candidates.find((one) => targetKey(one) === key);
  if (candidate === undefined) {
    return ['Screen: its backbone was not probed, because an extension added it; so it is trained.'];
  }
  if (!isDecided) {
    return [`Screen: ${countOf(openCount, 'probe')} of ${candidates.length} still run; what they keep is trained.`];
  }
  const { rows } = await tx.query<{ reason: string }>(
    'SELECT reason FROM probes WHERE sweep_id = $1 AND position = $2',
    [sweepId, candidate.position],
  );
  return [
    `Screen: ${nameOf(candidate, candidates)} was ${rows[0]?.reason ?? ''}.`,
    ...(endCause === 'SCREENED' ? ['`screen: off` in a sweep file with its parameters trains it all the same.'] : []),
  ];
}

/** Reads why a run is repeated of which this one is another seed. */
async function repeatDecisions(store: Store, { repeatOfRunId }: RunRecord): Promise<readonly DecisionRecord[]> {
  if (repeatOfRunId === null) return [];
  const { items } = await listDecisions(store, { sweepId: null, runId: repeatOfRunId }, null, ALL);
  return items.filter(({ kind }) => kind === 'REPEAT');
}

/** Reads the inputs of the latest end of a search; null: a person ended it. */
async function readEnd(tx: StoreTransaction, sweepId: string): Promise<ActionInputs | null> {
  const { rows } = await tx.query<{ inputs: ActionInputs }>(
    `SELECT inputs FROM decisions WHERE sweep_id = $1 AND kind = 'END' ORDER BY decision_id DESC LIMIT 1`,
    [sweepId],
  );
  return rows[0]?.inputs ?? null;
}

/** Compares runs with their rivals on the validation images; returns the comparisons by rung. */
async function comparePairs(
  { pool }: Store,
  sweepId: string,
  pairs: readonly Pair[],
): Promise<ReadonlyMap<number, PairedComparisonRecord>> {
  if (pairs.length === 0) return new Map();
  const named = pairs.flatMap(({ run, rival }) => [run, rival]);
  const evidence = await readEvidence(pool, sweepId, named, false);
  return new Map(
    pairs.flatMap(({ rung, run, rival }) => {
      const own = evidence.get(keyOf(run));
      const other = evidence.get(keyOf(rival));
      return own === undefined || other === undefined ? [] : [[rung, compareWithRival(rival, own, other)] as const];
    }),
  );
}
