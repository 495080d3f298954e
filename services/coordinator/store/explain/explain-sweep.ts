import type { DecisionKind } from '../../../core/records/decision.ts';
import type { SweepExplanation } from '../../../core/records/explanation.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import { describePolicy } from '../../../core/stopping/describe-policy.ts';
import { idleRuleNote } from '../../../core/stopping/explain-run.ts';
import type { Store } from '../store.ts';
import { listRungEntries } from './list-rung-entries.ts';
import { readStoredSearch } from './stored-search.ts';

/** More entries than any sweep has. */
const ALL = 1_000_000;

/** Explains the search of a sweep. */
export async function explainSweep(store: Store, sweep: SweepRecord): Promise<SweepExplanation> {
  const { sweepId } = sweep;
  const search = await readStoredSearch(store, sweepId);
  if (search === null) return { rule: '', policy: '', rungs: [], decisionCounts: [], notes: [], replay: null };
  const { items: entries } = await listRungEntries(store, sweepId, null, ALL);
  const idle = idleRuleNote(search, entries);
  return {
    rule: search.policy.rule,
    policy: describePolicy(search.policy),
    rungs: search.rungs,
    decisionCounts: await countDecisions(store, sweepId),
    notes: idle === null ? [] : [idle],
    replay: null,
  };
}

async function countDecisions({ pool }: Store, sweepId: string): Promise<SweepExplanation['decisionCounts']> {
  const { rows } = await pool.query<{ kind: DecisionKind; count: number }>(
    'SELECT kind, count(*)::int AS count FROM decisions WHERE sweep_id = $1 GROUP BY kind ORDER BY kind',
    [sweepId],
  );
  return rows;
}
