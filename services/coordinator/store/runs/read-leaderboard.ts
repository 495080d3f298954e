import type { LeaderboardRecord } from '../../../core/records/leaderboard.ts';
import type { Page } from '../page.ts';
import type { OuterJoined } from '../../../platform/db/outer-joined.ts';
import type { Store } from '../store.ts';
import { RUN_COLUMNS, toRun } from './run-row.ts';
import type { RunRow } from './run-row.ts';
import { TEST_CLASSES, TEST_COLUMNS, toTestResult } from './test-result-row.ts';
import type { TestRow } from './test-result-row.ts';

export interface RankKey {
  readonly rank: number;
}

/** Reads the leaderboard by rank, from the SQL view that is documented for users, so that both agree. */
export async function readLeaderboard(
  store: Store,
  sweepId: string,
  after: RankKey | null,
  limit: number,
): Promise<Page<LeaderboardRecord, RankKey>> {
  const { rows } = await store.pool.query<RunRow & OuterJoined<TestRow> & { readonly rank: number }>(
    `SELECT l.rank, ${RUN_COLUMNS}, ${TEST_COLUMNS}
       FROM (SELECT run_id, rank FROM leaderboard WHERE sweep_id = $1) l
       JOIN runs r ON r.run_id = l.run_id
       JOIN sweeps s ON s.sweep_id = r.sweep_id
       LEFT JOIN test_results t ON t.run_id = r.run_id
       LEFT JOIN LATERAL (${TEST_CLASSES}) classes ON true
      WHERE l.rank > $2
      ORDER BY l.rank
      LIMIT $3`,
    [sweepId, after?.rank ?? 0, limit + 1],
  );
  const items = rows
    .slice(0, limit)
    .map((row) => ({ rank: row.rank, run: toRun(row), testResult: toTestResult(row.run_id, row) }));
  const last = items.at(-1);
  return { items, next: rows.length > limit && last ? { rank: last.rank } : null };
}

/** Counts the runs of a sweep that were evaluated on the test split. */
export async function countTestedRuns(store: Store, sweepId: string): Promise<number> {
  const { rows } = await store.pool.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM test_results t JOIN runs r ON r.run_id = t.run_id WHERE r.sweep_id = $1',
    [sweepId],
  );
  return rows[0]?.count ?? 0;
}
