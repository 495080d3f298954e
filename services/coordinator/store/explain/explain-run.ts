import type { PairedComparisonRecord, RunExplanation } from '../../../core/records/explanation.ts';
import type { RunRecord } from '../../../core/records/run.ts';
import { compareWithRival, explainRun as explain, pairsOf } from '../../../core/stopping/explain-run.ts';
import type { Pair, RunFacts } from '../../../core/stopping/explain-run.ts';
import type { Store } from '../store.ts';
import { listDecisions } from './list-decisions.ts';
import { listRungEntries } from './list-rung-entries.ts';
import { keyOf, readEvidence } from './read-evidence.ts';
import { readSearchSummary } from './search-summary.ts';

/** More entries and decisions than any sweep has. */
const ALL = 1_000_000;

/** Explains how far a run came, and why no further. */
export async function explainRun(store: Store, run: RunRecord): Promise<RunExplanation> {
  const { runId, sweepId, pausedRung } = run;
  const { items: decisions } = await listDecisions(store, { sweepId: null, runId }, null, ALL);
  const search = await readSearchSummary(store, sweepId);
  if (search === null) return { visits: [], otherDecisions: decisions, outlook: [], notes: [] };
  const { items: entries } = await listRungEntries(store, sweepId, null, ALL);
  const facts: RunFacts = { run, search, entries, decisions, ...(await readOthers(store, sweepId, pausedRung)) };
  return explain(facts, await comparePairs(store, sweepId, pairsOf(facts)));
}

/** Compares runs with their rivals on the validation images; returns the comparisons by rung. */
async function comparePairs(
  store: Store,
  sweepId: string,
  pairs: readonly Pair[],
): Promise<ReadonlyMap<number, PairedComparisonRecord>> {
  if (pairs.length === 0) return new Map();
  const evidence = await readEvidence(
    store,
    sweepId,
    pairs.flatMap(({ run, rival }) => [run, rival]),
  );
  return new Map(
    pairs.flatMap(({ rung, run, rival }) => {
      const own = evidence.get(keyOf(run));
      const other = evidence.get(keyOf(rival));
      return own === undefined || other === undefined ? [] : [[rung, compareWithRival(rival, own, other)] as const];
    }),
  );
}

/** Reads the runs of a sweep that wait, and the number of those that can come to a rung without a promotion. */
async function readOthers(
  { pool }: Store,
  sweepId: string,
  rung: number | null,
): Promise<{ readonly coming: number; readonly waiting: ReadonlySet<string> }> {
  const { rows } = await pool.query<{ run_id: string; is_coming: boolean }>(
    `SELECT r.run_id, r.paused_rung IS NULL AS is_coming
       FROM runs r
       LEFT JOIN rungs g ON g.sweep_id = r.sweep_id AND g.rung = $2
      WHERE r.sweep_id = $1
        AND (r.paused_rung IS NOT NULL
             OR r.state IN ('QUEUED', 'RUNNING', 'PAUSED') AND coalesce(r.rung, -1) < $2
                AND CASE g.stage
                      WHEN 'HEAD' THEN (r.parameters ->> 'epochs')::int > coalesce(g.epoch, 0)
                      ELSE (r.parameters ->> 'fine_tune.enabled')::boolean
                           AND (r.parameters ->> 'fine_tune.epochs')::int > coalesce(g.epoch, 0)
                    END)`,
    [sweepId, rung],
  );
  return {
    coming: rows.filter(({ is_coming }) => is_coming).length,
    waiting: new Set(rows.filter(({ is_coming }) => !is_coming).map(({ run_id }) => run_id)),
  };
}
