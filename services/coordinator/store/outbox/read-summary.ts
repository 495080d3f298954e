import type { Pool } from 'pg';

export interface SummaryRow {
  readonly rank: number;
  readonly runId: string;
  readonly bestValue: number | null;
  readonly bestEpoch: number | null;
  readonly testAccuracy: number | null;
  readonly testAccuracyLow: number | null;
  readonly testAccuracyHigh: number | null;
}

const MAX_ROWS = 10;

/** Reads the first ten rows of the leaderboard. */
export async function readSummary(pool: Pool, sweepId: string): Promise<SummaryRow[]> {
  const { rows } = await pool.query<SummaryRow>(
    `SELECT rank::int AS rank, run_id AS "runId", best_value AS "bestValue", best_epoch AS "bestEpoch",
            test_accuracy AS "testAccuracy", test_accuracy_low AS "testAccuracyLow",
            test_accuracy_high AS "testAccuracyHigh"
       FROM leaderboard WHERE sweep_id = $1 ORDER BY rank LIMIT $2`,
    [sweepId, MAX_ROWS],
  );
  return rows;
}
