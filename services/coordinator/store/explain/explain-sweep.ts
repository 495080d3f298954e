import type { DecisionKind } from '../../../core/records/decision.ts';
import type { SweepExplanation } from '../../../core/records/explanation.ts';
import type { SweepRecord } from '../../../core/records/sweep.ts';
import { describePolicy } from '../../../core/stopping/describe-policy.ts';
import { idleRuleNote } from '../../../core/stopping/explain-run.ts';
import type { Store } from '../store.ts';
import { listRungEntries } from './list-rung-entries.ts';
import { listScreen } from './list-screen.ts';
import { readWinnerStatement } from './read-winner-statement.ts';
import { replaySweep } from './replay-sweep.ts';
import { readSearchSummary } from './search-summary.ts';

/** More entries than any sweep has. */
const ALL = 1_000_000;

/** Explains the search of a sweep. @param isReplayed true: recompute all decisions from the rows */
export async function explainSweep(store: Store, sweep: SweepRecord, isReplayed: boolean): Promise<SweepExplanation> {
  const { sweepId } = sweep;
  const search = await readSearchSummary(store, sweepId);
  if (search === null) {
    return { rule: '', policy: '', rungs: [], decisionCounts: [], notes: [], replay: null, screen: [] };
  }
  const { items: entries } = await listRungEntries(store, sweepId, null, ALL);
  const winner = await readWinnerStatement(store.pool, sweepId);
  const notes = [idleRuleNote(search, entries), winner?.sentence ?? null];
  return {
    rule: search.policy.rule,
    policy: describePolicy(search.policy, sweep.budget),
    rungs: search.rungs,
    decisionCounts: await countDecisions(store, sweepId),
    notes: notes.filter((note) => note !== null),
    replay: isReplayed ? await replaySweep(store, sweepId, search.policy) : null,
    screen: await listScreen(store, sweepId),
  };
}

async function countDecisions({ pool }: Store, sweepId: string): Promise<SweepExplanation['decisionCounts']> {
  const { rows } = await pool.query<{ kind: DecisionKind; count: number }>(
    'SELECT kind, count(*)::int AS count FROM decisions WHERE sweep_id = $1 GROUP BY kind ORDER BY kind',
    [sweepId],
  );
  return rows;
}
