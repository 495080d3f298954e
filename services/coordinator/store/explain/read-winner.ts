import type { Pool } from 'pg';
import type { WinnerRecord } from '../../../core/records/winner.ts';
import type { WinnerRule } from '../../../core/sweep/finalist-spec.ts';

/** Reads the choice of a sweep's winner; null: the sweep has not ended, or ended under an earlier version. */
export async function readWinner(pool: Pool, sweepId: string): Promise<WinnerRecord | null> {
  const { rows } = await pool.query<{
    run_id: string;
    run_index: number;
    rule: WinnerRule;
    best_run_id: string;
    score: number;
    measurement_count: number;
    expected_score: number | null;
    rival_count: number;
    cheaper_run_id: string | null;
    cheaper_run_index: number | null;
    cheaper_part: number | null;
    cheaper_difference: number | null;
    cheaper_difference_standard_error: number | null;
    statements: string[];
  }>(
    `SELECT w.run_id, r.run_index, w.rule, w.best_run_id, w.score, w.measurement_count, w.expected_score, w.rival_count,
            w.cheaper_run_id, c.run_index AS cheaper_run_index, w.cheaper_part, w.cheaper_difference,
            w.cheaper_difference_standard_error, w.statements
       FROM winners w JOIN runs r ON r.run_id = w.run_id LEFT JOIN runs c ON c.run_id = w.cheaper_run_id
      WHERE w.sweep_id = $1`,
    [sweepId],
  );
  const [row] = rows;
  if (row === undefined) return null;
  return {
    runId: row.run_id,
    runIndex: row.run_index,
    rule: row.rule,
    score: row.score,
    measurementCount: row.measurement_count,
    expectedScore: row.expected_score,
    rivalCount: row.rival_count,
    bestRunId: row.best_run_id,
    cheaperRunId: row.cheaper_run_id,
    cheaperRunIndex: row.cheaper_run_index,
    cheaperPart: row.cheaper_part,
    cheaperDifference: row.cheaper_difference,
    cheaperDifferenceStandardError: row.cheaper_difference_standard_error,
    statements: row.statements,
  };
}
