import type { DecisionKind } from '../../../core/records/decision.ts';
import type { RungEntryRecord, SweepExplanation } from '../../../core/records/explanation.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import { firstRunIsBaseline } from '../../../core/samplers/baseline.ts';
import { describePolicy } from '../../../core/stopping/describe-policy.ts';
import { idleRuleNote } from '../../../core/stopping/explain-run.ts';
import type { SearchSummary } from '../../../core/stopping/explain-run.ts';
import { bestAndBaseline, stateBest } from '../../../core/stopping/state-best.ts';
import { findRun, listRuns } from '../runs/list-runs.ts';
import type { Store } from '../store.ts';
import { listRungEntries } from './list-rung-entries.ts';
import { keyOf, readEvidence } from './read-evidence.ts';
import { replaySweep } from './replay-sweep.ts';
import { readSearchSummary } from './search-summary.ts';

/** More entries than any sweep has. */
const ALL = 1_000_000;

/** Explains the search of a sweep. @param isReplayed true: recompute all decisions from the rows */
export async function explainSweep(store: Store, sweep: SweepRecord, isReplayed: boolean): Promise<SweepExplanation> {
  const { sweepId } = sweep;
  const search = await readSearchSummary(store, sweepId);
  if (search === null) return { rule: '', policy: '', rungs: [], decisionCounts: [], notes: [], replay: null };
  const { items: entries } = await listRungEntries(store, sweepId, null, ALL);
  const notes = [idleRuleNote(search, entries), await stateOfBest(store, sweep, search, entries)];
  return {
    rule: search.policy.rule,
    policy: describePolicy(search.policy),
    rungs: search.rungs,
    decisionCounts: await countDecisions(store, sweepId),
    notes: notes.filter((note) => note !== null),
    replay: isReplayed ? await replaySweep(store, sweepId, search.policy) : null,
  };
}

/** States whether the best run is better than the baseline; null: there is no baseline, or one of them has reached no rung. */
async function stateOfBest(
  store: Store,
  { sweepId, bestRunId, spec }: SweepRecord,
  search: SearchSummary,
  entries: readonly RungEntryRecord[],
): Promise<string | null> {
  const [baseline] = (await listRuns(store, sweepId, null, 1)).items;
  if (bestRunId === null || baseline === undefined || !firstRunIsBaseline(spec, baseline.parameters)) return null;
  const pair = bestAndBaseline(search, entries, await findRun(store, bestRunId), baseline);
  if (pair === null) return null;
  const evidence = await readEvidence(store, sweepId, [pair.best, pair.baseline]);
  const measuredRuns = new Set(entries.map(({ runId }) => runId));
  return stateBest(spec.objective, pair, (entry) => evidence.get(keyOf(entry)) ?? null, measuredRuns.size);
}

async function countDecisions({ pool }: Store, sweepId: string): Promise<SweepExplanation['decisionCounts']> {
  const { rows } = await pool.query<{ kind: DecisionKind; count: number }>(
    'SELECT kind, count(*)::int AS count FROM decisions WHERE sweep_id = $1 GROUP BY kind ORDER BY kind',
    [sweepId],
  );
  return rows;
}
