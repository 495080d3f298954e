import type { TestRole } from '../../../core/task.ts';
import type { LeaderboardRecord } from '../../../core/records/leaderboard.ts';
import type { Page } from '../page.ts';
import type { TestResultRecord } from '../../../core/records/test-result.ts';
import type { OuterJoined } from '../../../platform/db/outer-joined.ts';
import type { Store } from '../store.ts';
import { RUN_COLUMNS, toRun } from './run-row.ts';
import type { RunRow } from './run-row.ts';

export interface RankKey {
  readonly rank: number;
}

interface TestRow {
  readonly checkpoint_id: string;
  readonly test_role: TestRole;
  readonly accuracy: number;
  readonly accuracy_low: number;
  readonly accuracy_high: number;
  readonly loss: number;
  readonly roc_auc: number | null;
  readonly macro_f1: number | null;
  readonly balanced_accuracy: number | null;
  readonly image_count: number;
  readonly correct_count: number;
  readonly confusion_matrix: number[];
  readonly class_names: string[] | null;
  readonly precisions: number[] | null;
  readonly recalls: number[] | null;
  readonly f1s: number[] | null;
  readonly supports: number[] | null;
}

/** Reads the leaderboard by rank, from the SQL view that is documented for users, so that both agree. */
export async function readLeaderboard(
  store: Store,
  sweepId: string,
  after: RankKey | null,
  limit: number,
): Promise<Page<LeaderboardRecord, RankKey>> {
  const { rows } = await store.pool.query<RunRow & OuterJoined<TestRow> & { readonly rank: number }>(
    `SELECT l.rank, ${RUN_COLUMNS}, t.checkpoint_id, t.role AS test_role, t.accuracy, t.accuracy_low, t.accuracy_high,
            t.loss, t.roc_auc, t.macro_f1, t.balanced_accuracy, t.image_count, t.correct_count, t.confusion_matrix,
            classes.class_names, classes.precisions, classes.recalls, classes.f1s, classes.supports
       FROM (SELECT run_id, rank FROM leaderboard WHERE sweep_id = $1) l
       JOIN runs r ON r.run_id = l.run_id
       JOIN sweeps s ON s.sweep_id = r.sweep_id
       LEFT JOIN test_results t ON t.run_id = r.run_id
       LEFT JOIN LATERAL (
         SELECT array_agg(c.class_name ORDER BY c.class_index) AS class_names,
                array_agg(c.precision ORDER BY c.class_index) AS precisions,
                array_agg(c.recall ORDER BY c.class_index) AS recalls,
                array_agg(c.f1 ORDER BY c.class_index) AS f1s,
                array_agg(c.support ORDER BY c.class_index) AS supports
           FROM test_class_results c WHERE c.run_id = t.run_id
       ) classes ON true
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

function toTestResult(runId: string, row: OuterJoined<TestRow>): TestResultRecord | null {
  if (row.checkpoint_id === null) return null;
  return {
    runId,
    checkpointId: row.checkpoint_id,
    role: row.test_role,
    accuracy: row.accuracy,
    accuracyLow: row.accuracy_low,
    accuracyHigh: row.accuracy_high,
    loss: row.loss,
    rocAuc: row.roc_auc,
    macroF1: row.macro_f1,
    balancedAccuracy: row.balanced_accuracy,
    imageCount: row.image_count,
    correctCount: row.correct_count,
    confusionMatrix: row.confusion_matrix,
    classResults: (row.class_names ?? []).map((className, index) => ({
      className,
      precision: row.precisions?.[index] ?? 0,
      recall: row.recalls?.[index] ?? 0,
      f1: row.f1s?.[index] ?? 0,
      support: row.supports?.[index] ?? 0,
    })),
  };
}

/** Counts the runs of a sweep that were evaluated on the test split. */
export async function countTestedRuns(store: Store, sweepId: string): Promise<number> {
  const { rows } = await store.pool.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM test_results t JOIN runs r ON r.run_id = t.run_id WHERE r.sweep_id = $1',
    [sweepId],
  );
  return rows[0]?.count ?? 0;
}
